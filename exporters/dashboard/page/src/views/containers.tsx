/** All containers: what they use, beside what they may use. */
import { signal } from '@preact/signals';
import { useEffect, useMemo, useRef } from 'preact/hooks';
import type { ContainerSummary } from '../../../api.ts';
import { bytes, count, cpus, percent, rate } from '../format.ts';
import { useKeys } from '../keys.ts';
import { Sparkline } from '../parts/sparkline.tsx';
import { AlertBadge, Bar, Sign, shareOf, since, stateOf, statusText } from '../parts/status.tsx';
import { reveal, useMedia, useRange, useSettled } from '../parts/virtual.tsx';
import { containerHref, go } from '../route.ts';
import { wantSparks } from '../sparks.ts';
import { about, containers, heardAt, hostFigures, marks, now } from '../state.ts';

const ROW = 36;
/** At phone width a row has two lines. */
const TALL_ROW = 62;
const HEAD = 33;

type Column = 'name' | 'cpu' | 'memory' | 'network' | 'disk' | 'pids' | 'restarts' | 'up';
type Grouping = 'none' | 'project' | 'service' | 'image';

const sort = signal<{ readonly by: Column; readonly descending: boolean }>({ by: 'name', descending: false });
const filter = signal('');
const grouping = signal<Grouping>('project');
const showsEnded = signal(true);
const folded = signal<ReadonlySet<string>>(new Set());
/** Id of the row that the keyboard is at. */
const cursor = signal('');

const COLUMNS: readonly { readonly by: Column; readonly title: string; readonly what: string }[] = [
  { by: 'name', title: 'Container', what: 'name' },
  { by: 'cpu', title: 'CPU', what: 'CPUs in use, of the limit' },
  { by: 'memory', title: 'Memory', what: 'working set, of the limit' },
  { by: 'network', title: 'Network', what: 'received and transmitted a second' },
  { by: 'disk', title: 'Disk', what: 'read and written a second' },
  { by: 'pids', title: 'PIDs', what: 'processes and threads' },
  { by: 'restarts', title: 'Restarts', what: 'restarts by the restart policy' },
  { by: 'up', title: 'Up', what: 'time since the start, or the end' },
];

const plus = (a: number | null | undefined, b: number | null | undefined): number =>
  a === null || a === undefined ? (b ?? -1) : a + (b ?? 0);

/** What a column sorts by: a text or a number. */
function keyOf(
  { name, figures, restarts, status, startedAt, finishedAt }: ContainerSummary,
  by: Column,
): string | number {
  switch (by) {
    case 'name':
      return name;
    case 'cpu':
      return figures?.cpu ?? -1;
    case 'memory':
      return figures?.memory ?? -1;
    case 'network':
      return plus(figures?.receive, figures?.transmit);
    case 'disk':
      return plus(figures?.read, figures?.write);
    case 'pids':
      return figures?.pids ?? -1;
    case 'restarts':
      return restarts;
    case 'up':
      return status === 'running' ? -(startedAt ?? 0) : -(finishedAt ?? 0) - 1e15;
  }
}

function groupOf({ project, service, image }: ContainerSummary, by: Grouping): string {
  if (by === 'project') return project ?? '';
  if (by === 'service') return service === null ? '' : project === null ? service : `${project} / ${service}`;
  return by === 'image' ? image : '';
}

type Item =
  | { readonly kind: 'group'; readonly name: string; readonly all: readonly ContainerSummary[] }
  | { readonly kind: 'row'; readonly container: ContainerSummary };

const isEnded = ({ status }: ContainerSummary): boolean =>
  status === 'removed' || status === 'exited' || status === 'dead';

function fits(container: ContainerSummary, wanted: string): boolean {
  const { name, image, project, service, id } = container;
  const text = [name, image, project, service, id, statusText(container)].join(' ').toLowerCase();
  return wanted
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}

function arrange(
  all: Iterable<ContainerSummary>,
  { by, descending }: { by: Column; descending: boolean },
  wanted: string,
  group: Grouping,
  withEnded: boolean,
  closed: ReadonlySet<string>,
): Item[] {
  const shown = [...all].filter(
    (container) => (withEnded || !isEnded(container)) && (wanted === '' || fits(container, wanted)),
  );
  shown.sort((a, b) => {
    const [first, second] = [keyOf(a, by), keyOf(b, by)];
    if (first === second) return a.name < b.name ? -1 : 1;
    return first < second === descending ? 1 : -1;
  });
  const groups = Map.groupBy(shown, (container) => groupOf(container, group));
  if (group === 'none' || groups.size === 0 || (groups.size === 1 && groups.has('')))
    return shown.map((container) => ({ kind: 'row', container }));
  // What belongs to none comes last.
  const names = [...groups.keys()].sort((a, b) => (a === '' ? 1 : b === '' ? -1 : a < b ? -1 : 1));
  return names.flatMap((name) => {
    const members = groups.get(name)!;
    const rows = closed.has(name) ? [] : members.map((container) => ({ kind: 'row', container }) as const);
    return [{ kind: 'group', name, all: members } as const, ...rows];
  });
}

function Summary({ all }: { readonly all: readonly ContainerSummary[] }) {
  const running = all.filter(({ status }) => status === 'running').length;
  const unhealthy = all.filter(({ health }) => health === 'unhealthy').length;
  const restarting = all.filter(({ status }) => status === 'restarting').length;
  const firing = [...marks.value.values()].flat().filter(({ status }) => status === 'firing').length;
  const host = hostFigures.value;
  return (
    <dl class="summary">
      <div>
        <dt>running</dt>
        <dd>
          {running}
          <small> of {all.length}</small>
        </dd>
      </div>
      <div class={unhealthy > 0 ? 'bad' : ''}>
        <dt>unhealthy</dt>
        <dd>{unhealthy}</dd>
      </div>
      <div class={restarting > 0 ? 'warn' : ''}>
        <dt>restarting</dt>
        <dd>{restarting}</dd>
      </div>
      <div class={firing > 0 ? 'bad' : ''}>
        <dt>alerts</dt>
        <dd>{firing}</dd>
      </div>
      <div class="wide">
        <dt>host CPU</dt>
        <dd>
          {percent(shareOf(host?.cpu, host?.cpus))}
          <small> of {host?.cpus ?? '–'}</small>
          <Bar share={shareOf(host?.cpu, host?.cpus)} />
        </dd>
      </div>
      <div class="wide">
        <dt>host memory</dt>
        <dd>
          {bytes(host?.memory)}
          <small> of {bytes(host?.memoryTotal)}</small>
          <Bar share={shareOf(host?.memory, host?.memoryTotal)} />
        </dd>
      </div>
    </dl>
  );
}

function Group({ item, top }: { readonly item: Extract<Item, { kind: 'group' }>; readonly top: number }) {
  const { name, all } = item;
  const isFolded = folded.value.has(name);
  const running = all.filter(({ status }) => status === 'running').length;
  const sum = (of: 'cpu' | 'memory') => all.reduce((total, { figures }) => total + (figures?.[of] ?? 0), 0);
  const toggle = () => {
    const next = new Set(folded.value);
    if (!next.delete(name)) next.add(name);
    folded.value = next;
  };
  return (
    <div class="row group" role="row" style={{ transform: `translateY(${top}px)` }}>
      <div role="cell" class="cell name">
        <button type="button" onClick={toggle} aria-expanded={!isFolded}>
          <svg width="10" height="10" viewBox="0 0 10 10" aria-hidden="true" class={isFolded ? 'folded' : ''}>
            <path d="M1 3l4 4 4-4" />
          </svg>
          <bdi>{name === '' ? 'on their own' : name}</bdi>
          <small>
            {running} of {all.length}
          </small>
        </button>
      </div>
      <div role="cell" class="cell cpu">
        <span class="figure">{cpus(sum('cpu'))}</span>
      </div>
      <div role="cell" class="cell memory">
        <span class="figure">{bytes(sum('memory'))}</span>
      </div>
    </div>
  );
}

interface RowProps {
  readonly container: ContainerSummary;
  readonly top: number;
  readonly index: number;
  readonly isGrouped: boolean;
}

function Row({ container, top, index, isGrouped }: RowProps) {
  const { id, name, figures, restarts, project, service, image } = container;
  const state = stateOf(container);
  const isAt = cursor.value === id;
  const origin = isGrouped ? (service ?? image) : [project, service ?? image].filter(Boolean).join(' / ');
  return (
    <div
      class={`row ${state} ${isEnded(container) ? 'ended' : ''} ${isAt ? 'at' : ''}`}
      role="row"
      aria-rowindex={index + 2}
      style={{ transform: `translateY(${top}px)` }}
    >
      <div role="cell" class="cell name">
        <Sign state={state} label={statusText(container)} />
        <a
          href={containerHref(id)}
          id={`row-${id.slice(0, 12)}`}
          onFocus={() => {
            cursor.value = id;
          }}
        >
          <bdi>{name}</bdi>
        </a>
        <AlertBadge marks={marks.value.get(id) ?? []} />
        <small class="origin">
          <bdi>{origin}</bdi>
        </small>
      </div>
      <div role="cell" class="cell cpu">
        <Sparkline id={id} of="cpu" />
        <span class="figure">
          {cpus(figures?.cpu)}
          {figures?.cpuLimit ? <small> / {cpus(figures.cpuLimit)}</small> : null}
          <Bar share={shareOf(figures?.cpu, figures?.cpuLimit)} />
        </span>
      </div>
      <div role="cell" class="cell memory">
        <Sparkline id={id} of="memory" />
        <span class="figure">
          {bytes(figures?.memory)}
          {figures?.memoryLimit ? (
            <small> {percent(shareOf(figures.memory, figures.memoryLimit))}</small>
          ) : null}
          <Bar share={shareOf(figures?.memory, figures?.memoryLimit)} />
        </span>
      </div>
      <div role="cell" class="cell network">
        <Sparkline id={id} of="network" />
        <Pair
          first={figures?.receive}
          second={figures?.transmit}
          signs="↓↑"
          words={['received', 'transmitted']}
        />
      </div>
      <div role="cell" class="cell disk">
        <Sparkline id={id} of="disk" />
        <Pair first={figures?.read} second={figures?.write} signs="rw" words={['read', 'written']} />
      </div>
      <div role="cell" class="cell pids">
        {count(figures?.pids)}
      </div>
      <div role="cell" class={`cell restarts ${restarts > 0 ? 'some' : ''}`}>
        {restarts}
      </div>
      <div role="cell" class="cell up">
        {state === 'good' ? null : <span class="word">{statusText(container)}</span>}{' '}
        {since(container, now.value)}
      </div>
    </div>
  );
}

function Pair(props: {
  readonly first: number | null | undefined;
  readonly second: number | null | undefined;
  readonly signs: string;
  readonly words: readonly [string, string];
}) {
  const { first, second, signs, words } = props;
  if ((first ?? null) === null && (second ?? null) === null) return <span class="pair">–</span>;
  return (
    <span class="pair">
      <span title={words[0]}>
        {rate(first)} <i>{signs[0]}</i>
      </span>
      <span title={words[1]}>
        {rate(second)} <i>{signs[1]}</i>
      </span>
    </span>
  );
}

function Head() {
  const { by, descending } = sort.value;
  return (
    <div class="row head" role="row" aria-rowindex={1}>
      {COLUMNS.map(({ by: column, title, what }) => (
        <div
          key={column}
          role="columnheader"
          class={`cell ${column}`}
          aria-sort={by === column ? (descending ? 'descending' : 'ascending') : 'none'}
        >
          <button
            type="button"
            title={what}
            onClick={() => {
              // Figures are looked at from the largest on.
              sort.value = { by: column, descending: by === column ? !descending : column !== 'name' };
            }}
          >
            {title}
            {by === column ? <span aria-hidden="true">{descending ? ' ▾' : ' ▴'}</span> : null}
          </button>
        </div>
      ))}
    </div>
  );
}

export function ContainersView() {
  const scroller = useRef<HTMLDivElement>(null);
  const search = useRef<HTMLInputElement>(null);
  const isNarrow = useMedia('(max-width: 760px)');
  const height = isNarrow ? TALL_ROW : ROW;
  const all = containers.value;
  const items = useMemo(
    () => arrange(all.values(), sort.value, filter.value, grouping.value, showsEnded.value, folded.value),
    [all, sort.value, filter.value, grouping.value, showsEnded.value, folded.value],
  );
  const { from, to } = useRange(scroller, height, items.length);
  const shown = items.slice(from, to);
  const ids = shown.flatMap((item) => (item.kind === 'row' ? item.container.id : []));
  useSettled(() => void wantSparks(ids).catch(() => {}), 60, ids.join());

  const rows = items.flatMap((item, index) => (item.kind === 'row' ? { id: item.container.id, index } : []));
  const move = (step: number) => {
    const at = rows.findIndex(({ id }) => id === cursor.value);
    const next = rows[Math.min(rows.length - 1, Math.max(0, at === -1 ? 0 : at + step))];
    if (next === undefined) return;
    cursor.value = next.id;
    if (scroller.current !== null) reveal(scroller.current, next.index, height, HEAD);
  };
  // The row may be drawn only now.
  useEffect(() => {
    if (document.activeElement === search.current || cursor.value === '') return;
    document.getElementById(`row-${cursor.value.slice(0, 12)}`)?.focus({ preventScroll: true });
  }, [cursor.value, from]);
  useKeys({
    j: () => move(1),
    k: () => move(-1),
    ArrowDown: () => move(1),
    ArrowUp: () => move(-1),
    '/': () => search.current?.focus(),
    Enter: () => {
      if (cursor.value !== '') go(containerHref(cursor.value));
    },
    Escape: () => {
      filter.value = '';
      cursor.value = '';
    },
  });

  const isGrouped = items.some(({ kind }) => kind === 'group');
  return (
    <main class="containers">
      <h1 class="unseen">Containers</h1>
      <Summary all={[...all.values()].filter(({ status }) => status !== 'removed')} />
      <div class="tools">
        <label class="search">
          <span class="unseen">Filter containers</span>
          <input
            ref={search}
            type="search"
            placeholder="Filter by name, image, project, status"
            value={filter.value}
            onInput={(event) => {
              filter.value = event.currentTarget.value;
            }}
          />
          <kbd aria-hidden="true">/</kbd>
        </label>
        <label>
          Group by{' '}
          <select
            value={grouping.value}
            onChange={(event) => {
              grouping.value = event.currentTarget.value as Grouping;
            }}
          >
            <option value="project">Compose project</option>
            <option value="service">service</option>
            <option value="image">image</option>
            <option value="none">nothing</option>
          </select>
        </label>
        <label class="narrow-sort">
          Sort by{' '}
          <select
            value={sort.value.by}
            onChange={(event) => {
              const by = event.currentTarget.value as Column;
              sort.value = { by, descending: by !== 'name' };
            }}
          >
            {COLUMNS.map(({ by, title }) => (
              <option key={by} value={by}>
                {title}
              </option>
            ))}
          </select>
        </label>
        <label class="check">
          <input
            type="checkbox"
            checked={showsEnded.value}
            onChange={(event) => {
              showsEnded.value = event.currentTarget.checked;
            }}
          />{' '}
          Ended ones too
        </label>
        <span class="note" role="status">
          {filter.value === '' ? '' : `${rows.length} of ${all.size}`}
        </span>
      </div>
      <section class="list" ref={scroller} aria-label="Containers" tabIndex={-1}>
        <div class="table" role="table" aria-label="Containers" aria-rowcount={items.length + 1}>
          <Head />
          <div class="rows" role="rowgroup" style={{ height: `${items.length * height}px` }}>
            {shown.map((item, offset) => {
              const index = from + offset;
              return item.kind === 'group' ? (
                <Group key={`group ${item.name}`} item={item} top={index * height} />
              ) : (
                <Row
                  key={item.container.id}
                  container={item.container}
                  top={index * height}
                  index={index}
                  isGrouped={isGrouped}
                />
              );
            })}
          </div>
        </div>
        {items.length === 0 && heardAt.value > 0 ? (
          <p class="empty">
            {all.size === 0
              ? `No containers on ${about.value.host || 'this host'}. One that starts is shown at once.`
              : 'No container fits the filter.'}
          </p>
        ) : null}
      </section>
    </main>
  );
}

/** All containers, with their usage and limits. */

import { useEffect, useMemo, useRef } from 'preact/hooks';
import type { ContainerSummary } from '../../../api.ts';
import { bytes, percent } from '../lib/format.ts';
import { useKeys } from '../lib/keys.ts';
import { shareOf } from '../lib/status.ts';
import { scrollToRow, useDebounced, useMediaQuery, useVisibleRows } from '../lib/visible-rows.ts';
import { ContainerRow, GroupRow, HeadRow } from '../parts/container-rows.tsx';
import { Search } from '../parts/search.tsx';
import { Bar } from '../parts/status.tsx';
import {
  arrangeContainers,
  COLUMNS,
  type Column,
  cursor,
  filter,
  folded,
  type Grouping,
  grouping,
  showsEnded,
  sort,
} from '../state/container-list.ts';
import { about, containers, hostFigures, lastMessageAt, marks } from '../state/live.ts';
import { containerHref, go } from '../state/route.ts';
import { loadSparklines } from '../state/sparklines.ts';

const ROW_HEIGHT = 36;
/** At phone width a row has two lines. */
const TALL_ROW_HEIGHT = 62;
const HEAD_HEIGHT = 33;

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

export function ContainersView() {
  const scroller = useRef<HTMLDivElement>(null);
  const search = useRef<HTMLInputElement>(null);
  const isNarrow = useMediaQuery('(max-width: 760px)');
  const height = isNarrow ? TALL_ROW_HEIGHT : ROW_HEIGHT;
  const all = containers.value;
  const items = useMemo(
    () =>
      arrangeContainers(
        all.values(),
        sort.value,
        filter.value,
        grouping.value,
        showsEnded.value,
        folded.value,
      ),
    [all, sort.value, filter.value, grouping.value, showsEnded.value, folded.value],
  );
  const { from, to } = useVisibleRows(scroller, height, items.length);
  const shown = items.slice(from, to);
  const ids = shown.flatMap((item) => (item.kind === 'row' ? item.container.id : []));
  useDebounced(() => void loadSparklines(ids).catch(() => {}), 60, ids.join());

  const rows = items.flatMap((item, index) => (item.kind === 'row' ? { id: item.container.id, index } : []));
  const move = (step: number) => {
    const at = rows.findIndex(({ id }) => id === cursor.value);
    const next = rows[Math.min(rows.length - 1, Math.max(0, at === -1 ? 0 : at + step))];
    if (next === undefined) return;
    cursor.value = next.id;
    if (scroller.current !== null) scrollToRow(scroller.current, next.index, height, HEAD_HEIGHT);
  };
  // The row may not be rendered before.
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
        <Search
          label="Filter containers"
          placeholder="Filter by name, image, project, status"
          value={filter}
          input={search}
        />
        <label>
          Group by{' '}
          <select
            value={grouping.value}
            onChange={(event) => {
              grouping.value = event.currentTarget.value as Grouping;
            }}
          >
            <option value="project">Compose project</option>
            <option value="service">Service</option>
            <option value="image">Image</option>
            <option value="none">None</option>
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
          Show stopped
        </label>
        <span class="note" role="status">
          {filter.value === '' ? '' : `${rows.length} of ${all.size}`}
        </span>
      </div>
      <section class="list" ref={scroller} aria-label="Containers" tabIndex={-1}>
        <div class="table" role="table" aria-label="Containers" aria-rowcount={items.length + 1}>
          <HeadRow />
          <div class="rows" role="rowgroup" style={{ height: `${items.length * height}px` }}>
            {shown.map((item, offset) => {
              const index = from + offset;
              return item.kind === 'group' ? (
                <GroupRow key={`group ${item.name}`} item={item} top={index * height} />
              ) : (
                <ContainerRow
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
        {items.length === 0 && lastMessageAt.value > 0 ? (
          <p class="empty">
            {all.size === 0
              ? `No containers on ${about.value.host || 'this host'} yet`
              : 'No matching containers'}
          </p>
        ) : null}
      </section>
    </main>
  );
}

/** Rows of the container list. */
import type { ContainerSummary } from '../../../api.ts';
import { bytes, count, cpus, percent, rate } from '../lib/format.ts';
import { shareOf, statusLevel, statusText, timeInState } from '../lib/status.ts';
import { COLUMNS, cursor, folded, type Item, isEnded, sort } from '../state/container-list.ts';
import { marks, now } from '../state/live.ts';
import { containerHref } from '../state/route.ts';
import { Sparkline } from './sparkline.tsx';
import { AlertBadge, Bar, Sign } from './status.tsx';

export function GroupRow({
  item,
  top,
}: {
  readonly item: Extract<Item, { kind: 'group' }>;
  readonly top: number;
}) {
  const { name, all } = item;
  const isFolded = folded.value.has(name);
  const running = all.filter(({ status }) => status === 'running').length;
  const sum = (metric: 'cpu' | 'memory') =>
    all.reduce((total, { figures }) => total + (figures?.[metric] ?? 0), 0);
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
          <bdi>{name === '' ? 'ungrouped' : name}</bdi>
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

export function ContainerRow({ container, top, index, isGrouped }: RowProps) {
  const { id, name, figures, restarts, project, service, image } = container;
  const state = statusLevel(container);
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
        <Sparkline id={id} metric="cpu" />
        <span class="figure">
          {cpus(figures?.cpu)}
          {figures?.cpuLimit ? <small> / {cpus(figures.cpuLimit)}</small> : null}
          <Bar share={shareOf(figures?.cpu, figures?.cpuLimit)} />
        </span>
      </div>
      <div role="cell" class="cell memory">
        <Sparkline id={id} metric="memory" />
        <span class="figure">
          {bytes(figures?.memory)}
          {figures?.memoryLimit ? (
            <small> {percent(shareOf(figures.memory, figures.memoryLimit))}</small>
          ) : null}
          <Bar share={shareOf(figures?.memory, figures?.memoryLimit)} />
        </span>
      </div>
      <div role="cell" class="cell network">
        <Sparkline id={id} metric="network" />
        <Pair
          first={figures?.receive}
          second={figures?.transmit}
          signs="↓↑"
          words={['received', 'transmitted']}
        />
      </div>
      <div role="cell" class="cell disk">
        <Sparkline id={id} metric="disk" />
        <Pair first={figures?.read} second={figures?.write} signs="rw" words={['read', 'written']} />
      </div>
      <div role="cell" class="cell pids">
        {count(figures?.pids)}
      </div>
      <div role="cell" class={`cell restarts ${(restarts ?? 0) > 0 ? 'some' : ''}`}>
        {restarts ?? '–'}
      </div>
      <div role="cell" class="cell up">
        {state === 'good' ? null : <span class="word">{statusText(container)}</span>}{' '}
        {timeInState(container, now.value)}
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

export function HeadRow() {
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
              // Values are sorted from the largest by default.
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

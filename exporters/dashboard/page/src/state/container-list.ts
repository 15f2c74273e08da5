/** The list of containers: its filter, order and groups. */
import { signal } from '@preact/signals';
import type { ContainerSummary } from '../../../api.ts';
import { statusText } from '../lib/status.ts';

export type Column = 'name' | 'cpu' | 'memory' | 'network' | 'disk' | 'pids' | 'restarts' | 'up';
export type Grouping = 'none' | 'project' | 'service' | 'image';

export const sort = signal<{ readonly by: Column; readonly descending: boolean }>({
  by: 'name',
  descending: false,
});
export const filter = signal('');
export const grouping = signal<Grouping>('project');
export const showsEnded = signal(true);
export const folded = signal<ReadonlySet<string>>(new Set());
/** Id of the row that is selected with the keyboard. */
export const cursor = signal('');

export const COLUMNS: readonly { readonly by: Column; readonly title: string; readonly what: string }[] = [
  { by: 'name', title: 'Container', what: 'Name' },
  { by: 'cpu', title: 'CPU', what: 'CPUs in use / limit' },
  { by: 'memory', title: 'Memory', what: 'Working set, share of the limit' },
  { by: 'network', title: 'Network', what: 'Received and transmitted per second' },
  { by: 'disk', title: 'Disk', what: 'Read and written per second' },
  { by: 'pids', title: 'PIDs', what: 'Processes and threads' },
  { by: 'restarts', title: 'Restarts', what: 'Restarts by the restart policy' },
  { by: 'up', title: 'Up', what: 'Time since the start or end' },
];

const plus = (a: number | null | undefined, b: number | null | undefined): number =>
  a === null || a === undefined ? (b ?? -1) : a + (b ?? 0);

/** The sort key of a column. */
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
      return restarts ?? -1;
    case 'up':
      return status === 'running' ? -(startedAt ?? 0) : -(finishedAt ?? 0) - 1e15;
  }
}

function groupOf({ project, service, image }: ContainerSummary, by: Grouping): string {
  if (by === 'project') return project ?? '';
  if (by === 'service') return service === null ? '' : project === null ? service : `${project} / ${service}`;
  return by === 'image' ? image : '';
}

export type Item =
  | { readonly kind: 'group'; readonly name: string; readonly all: readonly ContainerSummary[] }
  | { readonly kind: 'row'; readonly container: ContainerSummary };

export const isEnded = ({ status }: ContainerSummary): boolean =>
  status === 'removed' || status === 'exited' || status === 'dead';

/** Minimum length of a word that is matched with ids: `db` is not an id. */
const MIN_ID_LENGTH = 6;

function matchesFilter(container: ContainerSummary, search: string): boolean {
  const { name, image, project, service, id } = container;
  const text = [name, image, project, service, statusText(container)].join(' ').toLowerCase();
  return search
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word) || (word.length >= MIN_ID_LENGTH && id.startsWith(word)));
}

export function arrangeContainers(
  all: Iterable<ContainerSummary>,
  { by, descending }: { by: Column; descending: boolean },
  search: string,
  group: Grouping,
  withEnded: boolean,
  closed: ReadonlySet<string>,
): Item[] {
  const shown = [...all].filter(
    (container) => (withEnded || !isEnded(container)) && (search === '' || matchesFilter(container, search)),
  );
  shown.sort((a, b) => {
    const [first, second] = [keyOf(a, by), keyOf(b, by)];
    if (first === second) return a.name < b.name ? -1 : 1;
    return first < second === descending ? 1 : -1;
  });
  const groups = Map.groupBy(shown, (container) => groupOf(container, group));
  if (group === 'none' || groups.size === 0 || (groups.size === 1 && groups.has('')))
    return shown.map((container) => ({ kind: 'row', container }));
  // Ungrouped containers come last.
  const names = [...groups.keys()].sort((a, b) => (a === '' ? 1 : b === '' ? -1 : a < b ? -1 : 1));
  return names.flatMap((name) => {
    const members = groups.get(name)!;
    const rows = closed.has(name) ? [] : members.map((container) => ({ kind: 'row', container }) as const);
    return [{ kind: 'group', name, all: members } as const, ...rows];
  });
}

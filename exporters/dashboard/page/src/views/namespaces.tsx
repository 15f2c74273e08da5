/** Namespaces: which containers share them, with each other or with the host. */

import { signal, useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import type { NamespaceEntry, NamespaceMap } from '../../../api.ts';
import { useKeys } from '../lib/keys.ts';
import { Search } from '../parts/search.tsx';
import { fetchJson } from '../state/api-client.ts';
import { containers } from '../state/live.ts';
import { containerHref } from '../state/route.ts';

const TYPES = ['pid', 'net', 'ipc', 'mnt', 'uts', 'user', 'cgroup', 'time'] as const;
const DESCRIPTIONS: Readonly<Record<string, string>> = {
  pid: 'processes',
  net: 'network',
  ipc: 'shared memory and queues',
  mnt: 'mounts',
  uts: 'host name',
  user: 'user IDs',
  cgroup: 'cgroup root',
  time: 'clocks',
};
/** Containers are in these namespaces of the host by default, so this is not highlighted. */
const HOST_BY_DEFAULT = ['user', 'time'];
const EVERY_MS = 5000;

const filter = signal('');
const map = signal<NamespaceMap | undefined>(undefined);

interface NamespaceGroup {
  readonly types: string[];
  readonly members: NamespaceEntry['members'];
  readonly key: string;
}

/** Types in which all containers are in the host's namespace; on cgroup v1, `cgroup` is one. */
function commonTypes(all: readonly NamespaceEntry[]): ReadonlySet<string> {
  const byType = Map.groupBy(all, ({ type }) => type);
  const common = [...byType].filter(
    ([, entries]) =>
      entries.every(({ isHost }) => isHost) && entries.some(({ members }) => members.length > 1),
  );
  return new Set([...HOST_BY_DEFAULT, ...common.map(([type]) => type)]);
}

/** Groups namespaces with the same members: containers that share the network often share more. */
function sharedBy(
  all: readonly NamespaceEntry[],
  isHost: boolean,
  common: ReadonlySet<string>,
): NamespaceGroup[] {
  const found = new Map<string, NamespaceGroup>();
  for (const { type, isHost: ofHost, members } of all) {
    if (ofHost !== isHost || (isHost ? common.has(type) : members.length < 2)) continue;
    const key = members.map(({ id }) => id).join();
    const known = found.get(key) ?? { types: [], members, key };
    known.types.push(type);
    found.set(key, known);
  }
  return [...found.values()].sort((a, b) => b.members.length - a.members.length);
}

function Card({ group, isHost }: { readonly group: NamespaceGroup; readonly isHost: boolean }) {
  const { types, members } = group;
  return (
    <li class={`share ${isHost ? 'host' : ''}`}>
      <p class="types">
        {types.map((type) => (
          <span key={type} class="type" title={DESCRIPTIONS[type]}>
            {type}
          </span>
        ))}
      </p>
      <ul>
        {members.map(({ id, name }) => (
          <li key={id}>
            <a href={containerHref(id)}>
              <bdi>{name}</bdi>
            </a>
          </li>
        ))}
      </ul>
    </li>
  );
}

type Cell = { readonly kind: 'own' | 'host' | 'shared'; readonly entry: NamespaceEntry } | undefined;

function Matrix(props: { readonly all: readonly NamespaceEntry[]; readonly common: ReadonlySet<string> }) {
  const { all, common } = props;
  const pointed = useSignal('');
  const rows = new Map<string, { name: string; cells: Record<string, Cell> }>();
  const letters = new Map<NamespaceEntry, string>();
  for (const entry of all) {
    const kind = entry.isHost ? 'host' : entry.members.length > 1 ? 'shared' : 'own';
    if (kind === 'shared') letters.set(entry, String(letters.size + 1));
    for (const { id, name } of entry.members) {
      const row = rows.get(id) ?? { name, cells: {} };
      rows.set(id, row);
      row.cells[entry.type] = { kind, entry };
    }
  }
  const search = filter.value.toLowerCase();
  const shown = [...rows]
    .filter(([, { name }]) => name.toLowerCase().includes(search))
    .sort(([, a], [, b]) => (a.name < b.name ? -1 : 1));
  const types = TYPES.filter((type) => all.some((entry) => entry.type === type));
  return (
    <table class="matrix">
      <thead>
        <tr>
          <th scope="col">container</th>
          {types.map((type) => (
            <th key={type} scope="col" title={DESCRIPTIONS[type]}>
              {type}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {shown.map(([id, { name, cells }]) => (
          <tr key={id}>
            <th scope="row">
              <a href={containerHref(id)}>
                <bdi>{name}</bdi>
              </a>
            </th>
            {types.map((type) => {
              const cell = cells[type];
              if (cell === undefined) return <td key={type}>–</td>;
              const key = `${type} ${cell.entry.inode}`;
              const others = cell.entry.members
                .filter((member) => member.id !== id)
                .map((member) => member.name);
              const words =
                cell.kind === 'host'
                  ? 'host'
                  : cell.kind === 'own'
                    ? 'private'
                    : `shared with ${others.join(', ')}`;
              return (
                <td
                  key={type}
                  class={`${cell.kind} ${common.has(type) ? 'common' : ''} ${pointed.value === key && cell.kind === 'shared' ? 'pointed' : ''}`}
                  title={`${type} ${cell.entry.inode}: ${words}`}
                  onPointerEnter={() => {
                    pointed.value = key;
                  }}
                  onPointerLeave={() => {
                    pointed.value = '';
                  }}
                >
                  {cell.kind === 'shared' ? (
                    <span>
                      {letters.get(cell.entry)}
                      <span class="unseen"> {words}</span>
                    </span>
                  ) : cell.kind === 'host' ? (
                    'host'
                  ) : (
                    <span class="dot">
                      <span class="unseen">private</span>
                    </span>
                  )}
                </td>
              );
            })}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

export function NamespacesView() {
  const search = useRef<HTMLInputElement>(null);
  const size = containers.value.size;
  useEffect(() => {
    const load = () =>
      fetchJson<NamespaceMap>('/api/namespaces').then(
        (answer) => {
          map.value = answer;
        },
        () => {},
      );
    void load();
    const timer = setInterval(load, EVERY_MS);
    return () => clearInterval(timer);
  }, [size]);
  useKeys({
    '/': () => search.current?.focus(),
    Escape: () => {
      filter.value = '';
    },
  });
  const all = map.value?.namespaces ?? [];
  const common = commonTypes(all);
  const shared = sharedBy(all, false, common);
  const hosts = sharedBy(all, true, common);
  return (
    <main class="page">
      <h1 class="unseen">Namespaces</h1>
      <section>
        <h2>Shared between containers</h2>
        {shared.length === 0 ? (
          <p class="empty">No shared namespaces</p>
        ) : (
          <ul class="shares">
            {shared.map((each) => (
              <Card key={each.key} group={each} isHost={false} />
            ))}
          </ul>
        )}
      </section>
      {hosts.length === 0 ? null : (
        <section>
          <h2>Shared with the host</h2>
          <ul class="shares">
            {hosts.map((each) => (
              <Card key={each.key} group={each} isHost />
            ))}
          </ul>
        </section>
      )}
      <section>
        <h2>All containers</h2>
        <div class="tools">
          <Search label="Filter containers" placeholder="Filter by name" value={filter} input={search} />
          <p class="legend">
            <span>
              <i class="dot" /> private
            </span>
            <span>
              <i class="number">1</i> shared by containers with the same number
            </span>
            <span>
              <i class="host">host</i> shared with the host
            </span>
          </p>
        </div>
        {/* A scrolling element must be reachable with the keyboard. */}
        <div class="wide" tabIndex={0} role="region" aria-label="Namespaces of each container">
          <Matrix all={all} common={common} />
        </div>
      </section>
    </main>
  );
}

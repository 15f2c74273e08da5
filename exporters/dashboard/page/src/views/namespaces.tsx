/** Which containers share what: the kernel's namespaces, and who lives in them. */

import { signal, useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import type { NamespaceEntry, NamespaceMap } from '../../../api.ts';
import { useKeys } from '../lib/keys.ts';
import { Search } from '../parts/search.tsx';
import { fetchJson } from '../state/api-client.ts';
import { containers } from '../state/live.ts';
import { containerHref } from '../state/route.ts';

const TYPES = ['pid', 'net', 'ipc', 'mnt', 'uts', 'user', 'cgroup', 'time'] as const;
const WHAT: Readonly<Record<string, string>> = {
  pid: 'processes',
  net: 'network',
  ipc: 'shared memory and queues',
  mnt: 'mounts',
  uts: 'host name',
  user: 'user ids',
  cgroup: 'cgroup root',
  time: 'clocks',
};
/** Every container has these of the host, unless somebody sees to it: no news. */
const OFTEN_THE_HOSTS = ['user', 'time'];
const EVERY_MS = 5000;

const filter = signal('');
const map = signal<NamespaceMap | undefined>(undefined);

interface Shared {
  readonly types: string[];
  readonly members: NamespaceEntry['members'];
  readonly key: string;
}

/** Types of which it is no news that a container has the host's; on cgroup v1, `cgroup` is one. */
function usualOf(all: readonly NamespaceEntry[]): ReadonlySet<string> {
  const byType = Map.groupBy(all, ({ type }) => type);
  const common = [...byType].filter(
    ([, entries]) =>
      entries.every(({ isHost }) => isHost) && entries.some(({ members }) => members.length > 1),
  );
  return new Set([...OFTEN_THE_HOSTS, ...common.map(([type]) => type)]);
}

/** Namespaces with the same members together: who shares the network often shares more. */
function sharedBy(all: readonly NamespaceEntry[], isHost: boolean, usual: ReadonlySet<string>): Shared[] {
  const found = new Map<string, Shared>();
  for (const { type, isHost: ofHost, members } of all) {
    if (ofHost !== isHost || (isHost ? usual.has(type) : members.length < 2)) continue;
    const key = members.map(({ id }) => id).join();
    const known = found.get(key) ?? { types: [], members, key };
    known.types.push(type);
    found.set(key, known);
  }
  return [...found.values()].sort((a, b) => b.members.length - a.members.length);
}

function Card({ of: { types, members }, isHost }: { readonly of: Shared; readonly isHost: boolean }) {
  return (
    <li class={`share ${isHost ? 'host' : ''}`}>
      <p class="types">
        {types.map((type) => (
          <span key={type} class="type" title={WHAT[type]}>
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

function Matrix(props: { readonly all: readonly NamespaceEntry[]; readonly usual: ReadonlySet<string> }) {
  const { all, usual } = props;
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
  const wanted = filter.value.toLowerCase();
  const shown = [...rows]
    .filter(([, { name }]) => name.toLowerCase().includes(wanted))
    .sort(([, a], [, b]) => (a.name < b.name ? -1 : 1));
  const types = TYPES.filter((type) => all.some((entry) => entry.type === type));
  return (
    <table class="matrix">
      <thead>
        <tr>
          <th scope="col">container</th>
          {types.map((type) => (
            <th key={type} scope="col" title={WHAT[type]}>
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
                  ? "the host's"
                  : cell.kind === 'own'
                    ? 'its own'
                    : `shared with ${others.join(', ')}`;
              return (
                <td
                  key={type}
                  class={`${cell.kind} ${usual.has(type) ? 'usual' : ''} ${pointed.value === key && cell.kind === 'shared' ? 'pointed' : ''}`}
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
                      <span class="unseen">its own</span>
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
    const look = () =>
      fetchJson<NamespaceMap>('/api/namespaces').then(
        (answer) => {
          map.value = answer;
        },
        () => {},
      );
    void look();
    const timer = setInterval(look, EVERY_MS);
    return () => clearInterval(timer);
  }, [size]);
  useKeys({
    '/': () => search.current?.focus(),
    Escape: () => {
      filter.value = '';
    },
  });
  const all = map.value?.namespaces ?? [];
  const usual = usualOf(all);
  const shared = sharedBy(all, false, usual);
  const hosts = sharedBy(all, true, usual);
  return (
    <main class="page">
      <h1 class="unseen">Namespaces</h1>
      <section>
        <h2>Shared between containers</h2>
        {shared.length === 0 ? (
          <p class="empty">No two containers share a namespace that is not the host's.</p>
        ) : (
          <ul class="shares">
            {shared.map((each) => (
              <Card key={each.key} of={each} isHost={false} />
            ))}
          </ul>
        )}
      </section>
      {hosts.length === 0 ? null : (
        <section>
          <h2>In the host's own</h2>
          <ul class="shares">
            {hosts.map((each) => (
              <Card key={each.key} of={each} isHost />
            ))}
          </ul>
        </section>
      )}
      <section>
        <h2>All</h2>
        <div class="tools">
          <Search label="Filter containers" placeholder="Filter by name" value={filter} input={search} />
          <p class="legend">
            <span>
              <i class="dot" /> its own
            </span>
            <span>
              <i class="number">1</i> shared with all that have the same number
            </span>
            <span>
              <i class="host">host</i> the host's
            </span>
          </p>
        </div>
        {/* What scrolls has to be reached by the keyboard. */}
        <div class="wide" tabIndex={0} role="region" aria-label="Namespaces of each container">
          <Matrix all={all} usual={usual} />
        </div>
      </section>
    </main>
  );
}

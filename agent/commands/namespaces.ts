/** `portlight namespaces`: shared namespaces and confinement of containers. */

import type { Command } from 'commander';
import type { ContainerInspectInfo } from 'dockerode';
import { fromInspect } from '../../collectors/lifecycle/identity.ts';
import {
  elevationReasons,
  type ProcessConfinement,
  readConfinement,
} from '../../collectors/namespaces/confinement.ts';
import { errorMessage } from '../../collectors/shared/error-message.ts';
import { isDenied } from '../../collectors/shared/kernel-file.ts';
import {
  type Namespaces,
  namespaceTypes,
  readNamespaces,
  relationOf,
} from '../../collectors/shared/namespaces.ts';
import type { NamespaceMap } from '../../exporters/dashboard/api.ts';
import type { AgentClient } from '../views/watch/agent-client.ts';
import { type Daemon, DaemonUnavailable, daemonOrAgent } from '../views/watch/daemon.ts';
import { loadCommandConfig } from './config-flags.ts';
import { fitTerminal, print, printAs, printTable, type Rows } from './output.ts';
import { withProgress } from './progress.ts';

interface NamespacedContainer {
  readonly id: string;
  readonly name: string;
  readonly namespaces: Namespaces;
  /** Undefined if the data comes from an agent; so is `elevated`. */
  readonly confinement?: ProcessConfinement;
  readonly elevated?: readonly string[];
}

interface NamespaceGroup {
  readonly type: string;
  readonly inode: number;
  readonly host: boolean;
  readonly members: readonly string[];
}

function inspectNamespaces(
  procfs: string,
  inspect: ContainerInspectInfo,
  onProblem: (problem: string) => void,
): NamespacedContainer | undefined {
  const container = fromInspect(inspect, undefined, {});
  try {
    const namespaces = readNamespaces(procfs, container.pid);
    const confinement = readConfinement(procfs, container.pid);
    const elevated = elevationReasons(container, namespaces, confinement);
    return { id: container.id, name: container.name, namespaces, confinement, elevated };
  } catch (error) {
    const reason = isDenied(error) ? 'reading its namespaces requires CAP_SYS_PTRACE' : errorMessage(error);
    onProblem(`container ${container.name}: ${reason}`);
    return undefined;
  }
}

/** All namespaces with their members: by type, the host's namespace first, then by number of members. */
function groupNamespaces(containers: readonly NamespacedContainer[]): NamespaceGroup[] {
  return namespaceTypes.flatMap((type) => {
    const groups = new Map<number, { host: boolean; members: string[] }>();
    for (const { name, namespaces } of containers) {
      const namespace = namespaces[type];
      if (namespace === undefined) continue;
      const group = groups.get(namespace.inode) ?? { host: namespace.host === true, members: [] };
      group.members.push(name);
      groups.set(namespace.inode, group);
    }
    return [...groups]
      .map(([inode, group]) => ({ type, inode, ...group }))
      .sort((a, b) => Number(b.host) - Number(a.host) || b.members.length - a.members.length);
  });
}

function tree(containers: readonly NamespacedContainer[]): string {
  const groups = groupNamespaces(containers);
  const lines: string[] = [];
  for (const type of namespaceTypes) {
    const ofType = groups.filter((group) => group.type === type);
    if (ofType.length > 0) lines.push(type);
    ofType.forEach(({ inode, host, members }, index) => {
      const branch = index === ofType.length - 1 ? '└─' : '├─';
      const whose = host ? 'host' : members.length > 1 ? 'shared' : 'private';
      lines.push(`${branch} ${inode} ${whose}: ${members.join(', ')}`);
    });
  }
  for (const { name, elevated = [] } of containers)
    if (elevated.length > 0) lines.push(`! ${name} has elevated access: ${elevated.join(', ')}`);
  return lines.join('\n');
}

/** One row per container: with whom it shares each namespace. */
function rowsOf(containers: readonly NamespacedContainer[]): Rows {
  const groups = groupNamespaces(containers);
  const rows = containers.map(({ name, namespaces, elevated = [] }) => [
    name,
    ...namespaceTypes.map((type) => {
      const namespace = namespaces[type];
      if (namespace === undefined) return '-';
      const group = groups.find((known) => known.type === type && known.inode === namespace.inode);
      const others = (group?.members ?? []).filter((member) => member !== name);
      if (namespace.host === true) return 'host';
      return others.length === 0 ? 'private' : others.join(', ');
    }),
    elevated.join(', ') || '-',
  ]);
  return { head: ['NAME', ...namespaceTypes.map((type) => type.toUpperCase()), 'ELEVATED'], rows };
}

/** A Graphviz graph: a box per container, with an edge to each namespace that it shares. */
function dot(containers: readonly NamespacedContainer[]): string {
  const quoted = (text: string) => JSON.stringify(text);
  const shared = groupNamespaces(containers).filter(({ host, members }) => host || members.length > 1);
  return [
    'graph namespaces {',
    '  node [fontname="sans-serif"];',
    ...containers.map(
      ({ name, elevated = [] }) =>
        `  ${quoted(name)} [shape=box${elevated.length > 0 ? ', color=red' : ''}];`,
    ),
    ...shared.flatMap(({ type, inode, host, members }) => {
      const node = quoted(`${type} ${inode}`);
      return [
        `  ${node} [shape=ellipse, label=${quoted(host ? `${type} of the host` : `${type} ${inode}`)}];`,
        ...members.map((name) => `  ${quoted(name)} -- ${node};`),
      ];
    }),
    '}',
  ].join('\n');
}

function facts(containers: readonly NamespacedContainer[]): object[] {
  const groups = groupNamespaces(containers);
  return containers.map(({ id, name, namespaces, confinement, elevated }) => ({
    id,
    name,
    namespaces: Object.fromEntries(
      Object.entries(namespaces).map(([type, namespace]) => {
        const group = groups.find((known) => known.type === type && known.inode === namespace.inode);
        const sharers = (group?.members ?? []).filter((member) => member !== name);
        const relation = relationOf(namespace, sharers.length);
        return [
          type,
          { inode: namespace.inode, relation, shared_with: relation === 'shared' ? sharers : [] },
        ];
      }),
    ),
    ...(confinement === undefined
      ? {}
      : {
          capabilities: confinement.capabilities,
          seccomp: confinement.seccomp ?? null,
          apparmor: confinement.apparmor ?? null,
          no_new_privileges: confinement.noNewPrivileges,
          readonly_rootfs: confinement.readonlyRoot,
          uid_map: confinement.uidMap,
          elevated,
        }),
  }));
}

async function fromDaemon(daemon: Daemon, procfs: string): Promise<NamespacedContainer[]> {
  const running = await withProgress(
    () => `inspecting containers of ${daemon.endpoint.host}`,
    daemon.runningContainers(),
  );
  const problems: string[] = [];
  const found = running.flatMap(
    (inspect) => inspectNamespaces(procfs, inspect, (problem) => problems.push(problem)) ?? [],
  );
  if (found.length === 0 && problems.length > 0) throw new DaemonUnavailable(problems.join('; '));
  for (const problem of problems) console.error(`portlight: ${problem}`);
  return found;
}

async function fromAgent(agent: AgentClient): Promise<NamespacedContainer[]> {
  const { namespaces: all } = await agent.get<NamespaceMap>('/api/namespaces');
  const containers = new Map<string, NamespacedContainer>();
  for (const { type, inode, isHost, members } of all)
    for (const { id, name } of members) {
      const known = containers.get(id) ?? { id, name, namespaces: {} };
      const namespace = { inode, host: isHost };
      containers.set(id, { ...known, namespaces: { ...known.namespaces, [type]: namespace } });
    }
  return [...containers.values()];
}

export async function printNamespaces({ output }: { output: string }, command: Command): Promise<void> {
  const { config } = await loadCommandConfig(command);
  const found = await daemonOrAgent(config, (daemon) => fromDaemon(daemon, config.procfs), fromAgent);
  const containers = found.sort((a, b) => (a.name < b.name ? -1 : 1));
  await printAs(output, facts(containers), () => {
    if (output === 'table') printTable(rowsOf(containers));
    else print(output === 'dot' ? dot(containers) : fitTerminal(tree(containers)));
  });
}

/** Describes a container from its first process, and from the daemon's files where they can be read. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fromActor, fromInspect } from '../lifecycle/identity.ts';
import type { ReportedState } from '../lifecycle/reported-state.ts';
import type { TextStore } from '../records/collector.ts';
import { type Attributes, type Container, type UnixNano, unixNow } from '../records/records.ts';
import { readSmallFile } from '../shared/kernel-file.ts';
import { type Namespace, readNamespaces } from '../shared/namespaces.ts';
import type { WildcardMatcher } from '../shared/wildcard.ts';
import type { DaemonFiles } from './daemon-files.ts';
import type { Init } from './process-table.ts';

/** Length of the kernel's clock tick: 1/100 s. */
const TICK: UnixNano = 10_000_000n;
const SECOND = 1e9;
/** Part of the key on disk that holds the start of a container's run. */
const RUN = 'kernel/';

/** What only a daemon knows. */
const UNKNOWN = {
  restarts: undefined,
  exitCode: undefined,
  oomKilled: undefined,
  privileged: undefined,
  hostPid: false,
  status: 'running',
} as const;

export interface ContainerDescriberOptions {
  readonly procfs: string;
  /** `host.*` and `os.*`. */
  readonly surroundings: Attributes;
  /** Whether a container label becomes a resource attribute. */
  readonly isWantedLabel: WildcardMatcher;
  /** Further resource attributes of a running container. */
  readonly optionalAttributes: (container: Container) => Attributes;
  readonly store: TextStore;
}

export class ContainerDescriber {
  private readonly options: ContainerDescriberOptions;
  private readonly daemonFiles: DaemonFiles;
  private readonly bootId: string;
  /** Inode of the network namespace of each running container, where it can be read. */
  private readonly networks = new Map<string, number>();

  /** @throws when /proc cannot be read */
  constructor(options: ContainerDescriberOptions, daemonFiles: DaemonFiles) {
    this.options = options;
    this.daemonFiles = daemonFiles;
    this.bootId = readFileSync(join(options.procfs, 'sys/kernel/random/boot_id'), 'latin1').trim();
  }

  describeRunning(init: Init): Container {
    const { id, pid, runtime } = init;
    const { surroundings, isWantedLabel, optionalAttributes } = this.options;
    const inspect = this.daemonFiles.inspect(id);
    const runtimeName = runtime ?? (inspect === undefined ? undefined : 'docker');
    const shared =
      runtimeName === undefined ? surroundings : { ...surroundings, 'container.runtime.name': runtimeName };
    const container =
      inspect === undefined
        ? this.unnamed(init, shared)
        : { ...fromInspect(inspect, undefined, shared, isWantedLabel), finishedAt: 0n };
    container.pid = pid;
    container.startedAt = this.startOf(init);
    if (container.status !== 'paused') container.status = 'running';
    container.networkMode = this.networkModeOf(container);
    const attributes = { ...container.resource.attributes, ...optionalAttributes(container) };
    container.resource = { ...container.resource, attributes };
    return container;
  }

  /** A container that an earlier agent reported, and that does not run. */
  describeExited(id: string, { name, resource, startedAt }: ReportedState): Container {
    const inspect = this.daemonFiles.inspect(id);
    return {
      ...(inspect === undefined
        ? { ...fromActor(id, {}, {}), ...UNKNOWN, labels: {}, name }
        : fromInspect(inspect, undefined, {})),
      resource: { attributes: resource },
      pid: 0,
      startedAt,
      status: 'exited',
    };
  }

  /** The container's run ended: its network namespace can be another's. */
  forgetNetwork(id: string): void {
    this.networks.delete(id);
  }

  forgetContainer(id: string): void {
    this.options.store.delete(RUN + id);
  }

  /** A container without a description gets the service name that OpenTelemetry defines for unknown services. */
  private unnamed({ id, name }: Init, shared: Attributes): Container {
    const container: Container = { ...fromActor(id, {}, shared), ...UNKNOWN, labels: {} };
    const attributes = { ...container.resource.attributes, 'service.name': `unknown_service:${name}` };
    container.resource = { subject: container, attributes };
    return container;
  }

  /** When a run started. It is kept, so that it is the same for every agent, however the clock is set meanwhile. */
  private startOf({ id, ticks }: Init): UnixNano {
    const { store, procfs } = this.options;
    const run = `${this.bootId} ${ticks}`;
    const [boot, kept, start] = (store.load(RUN + id) ?? '').split(' ');
    if (start !== undefined && `${boot} ${kept}` === run) return BigInt(start);
    const uptime = Number.parseFloat(readSmallFile(join(procfs, 'uptime')));
    const startedAt = unixNow() - BigInt(Math.round(uptime * SECOND)) + BigInt(ticks) * TICK;
    store.save(RUN + id, `${run} ${startedAt}`);
    return startedAt;
  }

  /** The network mode as the daemon would name it: the host's network, or that of the container that had it first. */
  private networkModeOf({ id, pid, networkMode }: Container): string {
    if (networkMode !== '') return networkMode;
    let net: Namespace | undefined;
    try {
      net = readNamespaces(this.options.procfs, pid).net;
    } catch {
      // Reading it takes a privilege that the agent need not have.
    }
    if (net === undefined) return '';
    if (net.host === true) return 'host';
    const { inode } = net;
    const owner = [...this.networks].find(([other, theirs]) => other !== id && theirs === inode)?.[0];
    this.networks.set(id, inode);
    return owner === undefined ? '' : `container:${owner}`;
  }
}

/**
 * Reports which namespaces containers are in, which other containers share them, and what else confines them.
 */
import { catalogue } from '../catalogue/index.ts';
import { agentEventRecord, agentEvents } from '../records/agent-events.ts';
import type { Collector, RecordSink } from '../records/collector.ts';
import {
  type Attributes,
  type AttributeValue,
  type Container,
  type PointSink,
  type UnixNano,
  unixNow,
} from '../records/records.ts';
import { assertContainerProcess } from '../shared/cgroup-location.ts';
import {
  formatNamespaces,
  type Namespaces,
  type NamespaceType,
  readVisibleNamespaces,
  relationOf,
} from '../shared/namespaces.ts';
import {
  confinementAttributes,
  elevationReasons,
  type ProcessConfinement,
  readConfinement,
} from './confinement.ts';

export interface NamespaceOptions {
  readonly procfs: string;
  readonly sink: RecordSink;
  /** Whether the metric `portlight.container.namespace` is enabled: eight points per container. */
  readonly hasMetric: boolean;
  /** The last run of each container that was reported, so that no run is reported twice. */
  readonly reportedRuns: {
    load(id: string): string | undefined;
    save(id: string, startedAt: string): void;
    forget(id: string): void;
  };
}

/** `net 4026532184`: the same for all containers in the namespace. */
const keyOf = (type: string, inode: number): string => `${type} ${inode}`;

type Entries = [NamespaceType, { inode: number; host: boolean | undefined }][];
const entriesOf = (namespaces: Namespaces) => Object.entries(namespaces) as Entries;

/** The inodes, as attributes of records about the container. */
export function namespaceAttributes(namespaces: Namespaces): Attributes {
  const attributes: Record<string, AttributeValue> = {};
  for (const [type, { inode, host }] of entriesOf(namespaces)) {
    attributes[`linux.namespace.${type}.inode`] = inode;
    if (host !== undefined) attributes[`linux.namespace.${type}.host`] = host;
  }
  return attributes;
}

/**
 * Sharers that an event names. Where the host's own namespaces cannot be recognised, all containers of a host
 * share some, and a thousand events with a thousand names each are of no use.
 */
const MAX_NAMED_SHARERS = 16;

export class NamespaceCollector implements Collector {
  readonly name = 'namespaces';
  private readonly options: NamespaceOptions;
  private readonly known = new Map<string, { container: Container; namespaces: Namespaces }>();
  /** Ids of the containers in each namespace, by `keyOf`. */
  private readonly members = new Map<string, Set<string>>();

  constructor(options: NamespaceOptions) {
    this.options = options;
  }

  attachContainer(container: Container): void {
    if (container.pid === 0) return;
    const { procfs, reportedRuns } = this.options;
    const namespaces = readVisibleNamespaces(procfs, container.pid);
    const confinement = readConfinement(procfs, container.pid);
    assertContainerProcess(procfs, container.pid, container.id);
    this.detachContainer(container);
    this.known.set(container.id, { container, namespaces });
    for (const [type, { inode }] of entriesOf(namespaces)) {
      const key = keyOf(type, inode);
      const members = this.members.get(key) ?? new Set();
      this.members.set(key, members.add(container.id));
    }
    const run = String(container.startedAt);
    const withoutNamespaces = `${run} hidden`;
    const reported = reportedRuns.load(container.id);
    const isVisible = entriesOf(namespaces).length > 0;
    if (reported === run || (reported === withoutNamespaces && !isVisible)) return;
    const emitted = [this.emitNamespaces(container, container.startedAt, namespaces, confinement)];
    // After a run that was reported without its namespaces, only the namespaces are new.
    if (reported !== withoutNamespaces)
      emitted.push(this.emitElevated(container, elevationReasons(container, namespaces, confinement)));
    void Promise.all(emitted).then(() => {
      if (this.known.has(container.id)) reportedRuns.save(container.id, isVisible ? run : withoutNamespaces);
    });
    this.updateFirstSharers(container, namespaces);
  }

  /** Reports containers again that were alone in a namespace until this container joined it. */
  private updateFirstSharers(container: Container, namespaces: Namespaces): void {
    const joined = entriesOf(namespaces).flatMap(([type, { inode, host }]) => {
      const sharers = host ? [] : this.sharers(container.id, type, inode);
      return sharers.length === 1 ? sharers : [];
    });
    for (const id of new Set(joined)) {
      const { container: other, namespaces: theirs } = this.known.get(id)!;
      const now = unixNow();
      void this.emitNamespaces(other, now, theirs, readConfinement(this.options.procfs, other.pid));
    }
  }

  detachContainer({ id }: Container): void {
    const known = this.known.get(id);
    if (known === undefined) return;
    this.known.delete(id);
    for (const [type, { inode }] of entriesOf(known.namespaces)) {
      const key = keyOf(type, inode);
      const members = this.members.get(key);
      members?.delete(id);
      if (members?.size === 0) this.members.delete(key);
    }
  }

  removeContainer(container: Container): void {
    this.detachContainer(container);
    this.options.reportedRuns.forget(container.id);
  }

  collectContainer({ id }: Container, points: PointSink): void {
    if (!this.options.hasMetric) return;
    for (const [type, namespace] of entriesOf(this.known.get(id)?.namespaces ?? {})) {
      points.push({
        metric: catalogue.namespace,
        value: 1,
        attributes: {
          'linux.namespace.type': type,
          'linux.namespace.inode': namespace.inode,
          'linux.namespace.relation': relationOf(namespace, this.sharers(id, type, namespace.inode).length),
        },
      });
    }
  }

  /** The namespaces of each running container, by id. */
  memberships(): ReadonlyMap<
    string,
    { readonly type: NamespaceType; readonly inode: number; readonly host: boolean | undefined }[]
  > {
    return new Map(
      [...this.known].map(([id, { namespaces }]) => [
        id,
        entriesOf(namespaces).map(([type, namespace]) => ({ type, ...namespace })),
      ]),
    );
  }

  /** Ids of other containers in the same namespace, as many as an event names. */
  private sharers(id: string, type: string, inode: number): string[] {
    const found: string[] = [];
    for (const member of this.members.get(keyOf(type, inode)) ?? []) {
      if (member !== id) found.push(member);
      if (found.length === MAX_NAMED_SHARERS) break;
    }
    return found;
  }

  private emitNamespaces(
    container: Container,
    time: UnixNano,
    namespaces: Namespaces,
    confinement: ProcessConfinement,
  ): Promise<void> {
    const attributes: Record<string, AttributeValue> = {
      ...namespaceAttributes(namespaces),
      ...confinementAttributes(confinement, container),
    };
    for (const [type, namespace] of entriesOf(namespaces)) {
      const sharers = this.sharers(container.id, type, namespace.inode);
      const relation = relationOf(namespace, sharers.length);
      attributes[`linux.namespace.${type}.relation`] = relation;
      if (relation === 'shared') attributes[`linux.namespace.${type}.shared_with`] = sharers;
    }
    // The owner's network counters include the sharer's, and are reported for the owner only.
    const owner = /^container:(.+)$/.exec(container.networkMode)?.[1];
    if (owner !== undefined) attributes['linux.namespace.net.owner'] = owner;
    const body = `container ${container.name} namespaces ${formatNamespaces(namespaces) || 'cannot be read'}`;
    const record = agentEventRecord(agentEvents.namespaces, {
      time,
      subject: container.id,
      body,
      attributes,
    });
    return this.options.sink.emitEvent(container.resource, record);
  }

  private async emitElevated(container: Container, reasons: readonly string[]): Promise<void> {
    if (reasons.length === 0) return;
    const record = agentEventRecord(agentEvents.elevated, {
      time: container.startedAt,
      subject: container.id,
      body: `container ${container.name} has access beyond its bounds: ${reasons.join(', ')}`,
      attributes: { 'portlight.elevated.reasons': reasons },
    });
    await this.options.sink.emitEvent(container.resource, record);
  }
}

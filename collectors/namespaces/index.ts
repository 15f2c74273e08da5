/** Which namespaces containers live in, with whom they share them, and what else confines them. */
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
import { type Confinement, confinementAttributes, elevations, readConfinement } from './confinement.ts';

export interface NamespaceOptions {
  readonly procfs: string;
  readonly sink: RecordSink;
  /** Whether `portlight.container.namespace` is wanted: eight points a container. */
  readonly isMeasured: boolean;
  /** Which run of each container was told of, so that none is told twice. */
  readonly runs: {
    load(id: string): string | undefined;
    save(id: string, startedAt: string): void;
    forget(id: string): void;
  };
}

/** `net 4026532184`: the same for all that share it. */
const keyOf = (type: string, inode: number): string => `${type} ${inode}`;

type Entries = [NamespaceType, { inode: number; host: boolean | undefined }][];
const entriesOf = (namespaces: Namespaces) => Object.entries(namespaces) as Entries;

/** The inodes, as attributes of whatever is about the container. */
export function namespaceAttributes(namespaces: Namespaces): Attributes {
  const attributes: Record<string, AttributeValue> = {};
  for (const [type, { inode, host }] of entriesOf(namespaces)) {
    attributes[`linux.namespace.${type}.inode`] = inode;
    if (host !== undefined) attributes[`linux.namespace.${type}.host`] = host;
  }
  return attributes;
}

/**
 * Where the host's namespaces cannot be told from others, all containers share some: a thousand events that name a
 * thousand each would be for nobody.
 */
const MOST_NAMED = 16;

export class NamespaceCollector implements Collector {
  readonly name = 'namespaces';
  private readonly options: NamespaceOptions;
  private readonly known = new Map<string, { container: Container; namespaces: Namespaces }>();
  /** Who lives in each namespace. */
  private readonly members = new Map<string, Set<string>>();

  constructor(options: NamespaceOptions) {
    this.options = options;
  }

  attachContainer(container: Container): void {
    if (container.pid === 0) return;
    const { procfs, runs } = this.options;
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
    const hidden = `${run} hidden`;
    const known = runs.load(container.id);
    const isVisible = entriesOf(namespaces).length > 0;
    if (known === run || (known === hidden && !isVisible)) return;
    const told = [this.tell(container, container.startedAt, namespaces, confinement)];
    // Of what an agent has told that could not see the namespaces, they are what is new.
    if (known !== hidden) told.push(this.warn(container, elevations(container, namespaces, confinement)));
    void Promise.all(told).then(() => {
      if (this.known.has(container.id)) runs.save(container.id, isVisible ? run : hidden);
    });
    this.correct(container, namespaces);
  }

  /** Those that were alone in a namespace until now are told of once more. */
  private correct(container: Container, namespaces: Namespaces): void {
    const joined = entriesOf(namespaces).flatMap(([type, { inode, host }]) => {
      const sharers = host ? [] : this.sharers(container.id, type, inode);
      return sharers.length === 1 ? sharers : [];
    });
    for (const id of new Set(joined)) {
      const { container: other, namespaces: theirs } = this.known.get(id)!;
      const now = unixNow();
      void this.tell(other, now, theirs, readConfinement(this.options.procfs, other.pid));
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
    this.options.runs.forget(container.id);
  }

  collectContainer({ id }: Container, points: PointSink): void {
    if (!this.options.isMeasured) return;
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

  /** Other containers in the same namespace, by id, as many as are named. */
  private sharers(id: string, type: string, inode: number): string[] {
    const found: string[] = [];
    for (const member of this.members.get(keyOf(type, inode)) ?? []) {
      if (member !== id) found.push(member);
      if (found.length === MOST_NAMED) break;
    }
    return found;
  }

  private tell(
    container: Container,
    time: UnixNano,
    namespaces: Namespaces,
    confinement: Confinement,
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
    // Whose network it is: the owner's counters are the sharer's too, and reported there only.
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

  private async warn(container: Container, reasons: readonly string[]): Promise<void> {
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

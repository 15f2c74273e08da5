import { type AgentEvent, agentEventRecord, agentEvents } from '../../records/agent-events.ts';
import type { RecordSink, TextStore } from '../../records/collector.ts';
import { type Resource, unixNow } from '../../records/records.ts';
import { type DockerObject, identityAttributes, type ObjectKind } from './docker-object.ts';
import type { Listing } from './list-objects.ts';

const events: Readonly<Record<ObjectKind, AgentEvent>> = {
  image: agentEvents.image,
  volume: agentEvents.volume,
  network: agentEvents.network,
};

type Change = 'new' | 'found' | 'changed' | 'removed';

export interface ObjectReporterOptions {
  readonly sink: RecordSink;
  /** The resource of the events: the host. */
  readonly host: () => Resource;
  /**
   * Names of the reported objects, by `object/<kind>/<id>`: what vanishes while no agent runs is reported by
   * them.
   */
  readonly store: TextStore;
}

/**
 * Compares each listing with the one before, and emits an event for each object that is new, changed or
 * removed.
 */
export class ObjectReporter {
  private readonly options: ObjectReporterOptions;
  private readonly known: Readonly<Record<ObjectKind, Map<string, DockerObject>>> = {
    image: new Map(),
    volume: new Map(),
    network: new Map(),
  };
  /** Store keys of objects whose removal is emitted and not yet safe with every exporter. */
  private readonly pendingRemovals = new Set<string>();
  /** Kinds that this process has listed before. */
  private readonly listedKinds = new Set<ObjectKind>();

  constructor(options: ObjectReporterOptions) {
    this.options = options;
  }

  knownObjects(kind: ObjectKind): Iterable<DockerObject> {
    return this.known[kind].values();
  }

  reportChanges(kind: ObjectKind, { objects, excludedIds }: Listing): void {
    const { store } = this.options;
    const known = this.known[kind];
    const prefix = `object/${kind}/`;
    const stored = [...store.idsUnder(prefix)].filter((id) => !this.pendingRemovals.has(prefix + id));
    /** Names of the objects that are not in the listing, by id. */
    const removed = new Map(
      [...stored, ...known.keys()].map((id) => [id, known.get(id)?.name ?? store.load(prefix + id) ?? '']),
    );
    // An agent with other options may have reported them: they are forgotten, not removed.
    for (const id of excludedIds) if (removed.delete(id)) store.delete(prefix + id);
    // In the very first listing nothing is new.
    const isFirstEver = removed.size === 0 && !this.listedKinds.has(kind);
    for (const object of objects) {
      const wasStored = removed.delete(object.id);
      const before = known.get(object.id);
      known.set(object.id, object);
      const isFound = isFirstEver || (before === undefined && !this.listedKinds.has(kind) && wasStored);
      const isChanged =
        before !== undefined && JSON.stringify(before.attributes) !== JSON.stringify(object.attributes);
      if (before !== undefined && !isChanged) continue;
      const emitted = this.emitChange(kind, object, isChanged ? 'changed' : isFound ? 'found' : 'new');
      // Stored only then: if the agent is killed before, the object is new to the next one.
      void emitted.then(() => {
        if (known.has(object.id)) store.save(prefix + object.id, object.name);
      });
    }
    for (const [id, name] of removed) this.reportRemoval(kind, id, name);
    this.listedKinds.add(kind);
  }

  private reportRemoval(kind: ObjectKind, id: string, name: string): void {
    const known = this.known[kind];
    const key = `object/${kind}/${id}`;
    const attributes = identityAttributes[kind](id, name);
    const object = known.get(id) ?? { id, name, attributes, volatileAttributes: {} };
    known.delete(id);
    this.pendingRemovals.add(key);
    void this.emitChange(kind, object, 'removed').then(() => {
      this.pendingRemovals.delete(key);
      this.options.store.delete(key);
    });
  }

  /** Resolves when every exporter has the event safe. */
  private emitChange(
    kind: ObjectKind,
    { id, name, attributes, volatileAttributes }: DockerObject,
    change: Change,
  ): Promise<void> {
    const record = agentEventRecord(events[kind], {
      time: unixNow(),
      subject: id,
      body: `${kind} ${name} ${change}`,
      attributes: {
        'portlight.inventory.change': change,
        ...attributes,
        ...(change === 'removed' ? {} : volatileAttributes),
      },
    });
    return this.options.sink.emitEvent(this.options.host(), record);
  }
}

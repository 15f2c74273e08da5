/**
 * What else the daemon keeps: images, volumes and networks. Each is told of when it is found, has changed or is
 * gone, and running containers are compared with what the name of their image means by now.
 * Source: GET /images/json, /volumes, /networks, /networks/{id}.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type Docker from 'dockerode';
import type { ImageInfo, NetworkInspectInfo, VolumeInspectInfo } from 'dockerode';
import { catalogue } from '../catalogue/index.ts';
import { isNotFound, withTimeout } from '../engine/client.ts';
import { familiar } from '../lifecycle/identity.ts';
import { type AgentEvent, agentEventRecord, agentEvents } from '../records/agent-events.ts';
import type { Collector, RecordSink, TextStore } from '../records/collector.ts';
import {
  type Attributes,
  type AttributeValue,
  type Container,
  type PointSink,
  type Resource,
  unixNow,
} from '../records/records.ts';

/** Changes that come together are looked at together. */
const SETTLE_MS = 500;
/** How long the daemon may take for one answer. */
const ANSWER_MS = 10_000;
const NONE = '<none>:<none>';

const kinds = ['image', 'volume', 'network'] as const;
type Kind = (typeof kinds)[number];
const isKind = (type: string): type is Kind => (kinds as readonly string[]).includes(type);
const events: Readonly<Record<Kind, AgentEvent>> = {
  image: agentEvents.image,
  volume: agentEvents.volume,
  network: agentEvents.network,
};

/** One object as it is told. */
interface Item {
  readonly id: string;
  /** What a person calls it. */
  readonly name: string;
  /** A change of these is a change of the object. */
  readonly attributes: Attributes;
  /** What changes by itself, or with others. */
  readonly passing: Attributes;
}

/** What there is of a kind. */
interface Listed {
  /** What is told of. */
  readonly items: readonly Item[];
  /** Ids of what is not. */
  readonly others: readonly string[];
}

export interface ObjectOptions {
  readonly docker: Docker;
  readonly sink: RecordSink;
  /** What the events are about: the host. */
  readonly host: () => Resource;
  readonly containers: () => Iterable<Container>;
  /** Whether an object with these labels is told of; undefined for images, whose labels are their makers'. */
  readonly tells: (labels: Readonly<Record<string, string>> | undefined) => boolean;
  /** Names of the objects that were told of, by `<kind>/<id>`, for those that vanish while nobody looks. */
  readonly store: TextStore;
}

/** The reference that a container was made from, as images list it; undefined for a bare id. */
export function listedReference(image: string): string | undefined {
  if (image === '' || image.startsWith('sha256:') || image.includes('@')) return undefined;
  const name = familiar(image);
  return name.includes(':', name.lastIndexOf('/') + 1) ? name : `${name}:latest`;
}

/** What is told of an image. */
export type ListedImage = Pick<ImageInfo, 'Id' | 'RepoTags' | 'RepoDigests' | 'Created' | 'Size'>;

/**
 * The images that the daemon lists, and those that it does not list because another was made of them, where a
 * container uses them.
 */
export async function listImages(docker: Docker, used: Iterable<string>): Promise<ListedImage[]> {
  const images: ListedImage[] = await docker.listImages();
  const listed = new Set(images.map(({ Id }) => Id));
  for (const id of new Set(used)) {
    if (listed.has(id)) continue;
    try {
      const { Id, RepoTags, RepoDigests, Created, Size } = await docker.getImage(id).inspect();
      images.push({ Id, RepoTags, RepoDigests, Created: Date.parse(Created) / 1000, Size });
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }
  return images;
}

const imageIdOf = ({ resource }: Container): string | undefined => {
  const id = resource.attributes['container.image.id'];
  return typeof id === 'string' ? id : undefined;
};

export class ObjectCollector implements Collector {
  readonly name = 'objects';
  private readonly options: ObjectOptions;
  private readonly known: Readonly<Record<Kind, Map<string, Item>>> = {
    image: new Map(),
    volume: new Map(),
    network: new Map(),
  };
  /** Ids of the images that the names of containers' images mean now. */
  private readonly current = new Map<string, string | undefined>();
  /** Image ids by reference. */
  private references = new Map<string, string>();
  /** What is gone and told to be, while exporters still have that. */
  private readonly removed = new Set<string>();
  /** What was looked at once, by this process. */
  private readonly looked = new Set<Kind>();
  /** Containers that were told to be outdated. */
  private readonly outdated = new WeakSet<Container>();
  private readonly dirty = new Set<Kind>();
  private readonly stopping = new AbortController();
  private looking: Promise<void> | undefined;

  constructor(options: ObjectOptions) {
    this.options = options;
  }

  /** The daemon has told that something has happened to an object of this type; at start, to any. */
  objectChanged(type: string): void {
    if (isKind(type)) this.dirty.add(type);
    if (this.dirty.size > 0 && !this.stopping.signal.aborted)
      this.looking ??= this.look().finally(() => {
        this.looking = undefined;
        if (this.dirty.size > 0) this.objectChanged('');
      });
  }

  /** Looks at everything. */
  async begin(): Promise<void> {
    for (const kind of kinds) this.objectChanged(kind);
    await this.looking;
  }

  attachContainer(container: Container): void {
    if (container.pid !== 0 && this.references.size > 0) this.compare([container]);
  }

  removeContainer(): void {
    // A volume that nobody uses any more.
    this.objectChanged('volume');
  }

  close(): void {
    this.stopping.abort();
  }

  collectContainer(container: Container, points: PointSink): void {
    if (container.pid === 0 || this.references.size === 0) return;
    points.push({
      metric: catalogue.imageOutdated,
      value: this.newerImage(container) === undefined ? 0 : 1,
    });
  }

  collectHost(points: PointSink): void {
    const drivers = new Map<string, number>();
    for (const { attributes } of this.known.network.values()) {
      const driver = String(attributes['docker.network.driver']);
      drivers.set(driver, (drivers.get(driver) ?? 0) + 1);
    }
    for (const [driver, value] of drivers)
      points.push({
        metric: catalogue.daemonNetworks,
        value,
        attributes: { 'docker.network.driver': driver },
      });
  }

  private async look(): Promise<void> {
    const { signal } = this.stopping;
    while (this.dirty.size > 0 && !signal.aborted) {
      await sleep(SETTLE_MS, undefined, { signal, ref: false }).catch(() => {});
      for (const kind of [...this.dirty]) {
        this.dirty.delete(kind);
        if (signal.aborted) return;
        try {
          this.take(kind, await this.read[kind]());
          if (kind === 'image') this.compare(this.options.containers());
        } catch (error) {
          if (!signal.aborted) this.options.sink.reportError(this.name, error);
        }
      }
    }
  }

  private readonly read: Readonly<Record<Kind, () => Promise<Listed>>> = {
    image: async () => {
      const all = [...this.options.containers()].map(imageIdOf).filter((id) => id !== undefined);
      const images = await this.answer(listImages(this.options.docker, all));
      this.current.clear();
      this.references = new Map(
        images.flatMap(({ Id, RepoTags }) => namesOf(RepoTags).map((tag) => [familiar(tag), Id])),
      );
      const used = new Map<string, number>();
      for (const container of this.options.containers()) {
        const id = container.pid === 0 ? undefined : imageIdOf(container);
        if (id !== undefined) used.set(id, (used.get(id) ?? 0) + 1);
      }
      if (!this.options.tells(undefined)) return { items: [], others: images.map(({ Id }) => Id) };
      return { items: images.map((image) => imageItem(image, used.get(image.Id) ?? 0)), others: [] };
    },
    volume: async () => {
      const { docker } = this.options;
      const list = (filters: object) => this.answer(docker.listVolumes(filters));
      const [all, dangling] = await Promise.all([list({}), list({ filters: { dangling: ['true'] } })]);
      const unused = new Set((dangling.Volumes ?? []).map(({ Name }) => Name));
      const [told, others] = this.divided(all.Volumes ?? []);
      return {
        items: told.map((volume) => volumeItem(volume, !unused.has(volume.Name))),
        others: others.map(({ Name }) => Name),
      };
    },
    network: async () => {
      const { docker } = this.options;
      const [told, others] = this.divided(await this.answer(docker.listNetworks()));
      const networks: NetworkInspectInfo[] = [];
      for (const { Id } of told) {
        try {
          networks.push(await this.answer(docker.getNetwork(Id).inspect()));
        } catch (error) {
          if (!isNotFound(error)) throw error;
        }
      }
      return { items: networks.map(networkItem), others: others.map(({ Id }) => Id) };
    },
  };

  /** What is told of, and what is not. */
  private divided<T extends { readonly Labels?: Readonly<Record<string, string>> | null }>(
    all: readonly T[],
  ): [T[], T[]] {
    const isTold = ({ Labels }: T) => this.options.tells(Labels ?? {});
    return [all.filter(isTold), all.filter((object) => !isTold(object))];
  }

  private answer<T>(answer: Promise<T>): Promise<T> {
    return withTimeout(answer, ANSWER_MS, this.stopping.signal);
  }

  /** Tells what is other than it was. */
  private take(kind: Kind, { items, others }: Listed): void {
    const { store } = this.options;
    const known = this.known[kind];
    const prefix = `object/${kind}/`;
    const kept = [...store.idsUnder(prefix)].filter((id) => !this.removed.has(prefix + id));
    const gone = new Map(
      [...kept, ...known.keys()].map((id) => [id, known.get(id)?.name ?? store.load(prefix + id) ?? '']),
    );
    // What an agent with other options told of is no more than left alone.
    for (const id of others) if (gone.delete(id)) store.delete(prefix + id);
    // Nothing that there is at the first look of all is new.
    const isFirst = gone.size === 0 && !this.looked.has(kind);
    for (const item of items) {
      const wasKept = gone.delete(item.id);
      const before = known.get(item.id);
      known.set(item.id, item);
      const isFound = isFirst || (before === undefined && !this.looked.has(kind) && wasKept);
      const isChanged =
        before !== undefined && JSON.stringify(before.attributes) !== JSON.stringify(item.attributes);
      if (before !== undefined && !isChanged) continue;
      const told = this.tell(kind, item, isChanged ? 'changed' : isFound ? 'found' : 'new');
      // What a killed agent could not hand over is new to the next one.
      void told.then(() => {
        if (known.has(item.id)) store.save(prefix + item.id, item.name);
      });
    }
    for (const [id, name] of gone) {
      const item = known.get(id) ?? { id, name, attributes: identity[kind](id, name), passing: {} };
      known.delete(id);
      this.removed.add(prefix + id);
      void this.tell(kind, item, 'removed').then(() => {
        this.removed.delete(prefix + id);
        store.delete(prefix + id);
      });
    }
    this.looked.add(kind);
  }

  private tell(
    kind: Kind,
    { id, name, attributes, passing }: Item,
    change: 'new' | 'found' | 'changed' | 'removed',
  ): Promise<void> {
    const record = agentEventRecord(events[kind], {
      time: unixNow(),
      subject: id,
      body: `${kind} ${name} ${change}`,
      attributes: {
        'portlight.inventory.change': change,
        ...attributes,
        ...(change === 'removed' ? {} : passing),
      },
    });
    return this.options.sink.emitEvent(this.options.host(), record);
  }

  /** The image that a container would be made from now; undefined where that is its own. */
  private newerImage(container: Container): string | undefined {
    const { image } = container;
    // Asked for each container in each round.
    if (!this.current.has(image)) {
      const reference = listedReference(image);
      this.current.set(image, reference === undefined ? undefined : this.references.get(reference));
    }
    const current = this.current.get(image);
    const own = imageIdOf(container);
    return current === undefined || own === undefined || current === own ? undefined : current;
  }

  private compare(containers: Iterable<Container>): void {
    for (const container of containers) {
      const newer = container.pid === 0 ? undefined : this.newerImage(container);
      if (newer === undefined) this.outdated.delete(container);
      else if (!this.outdated.has(container)) {
        this.outdated.add(container);
        const record = agentEventRecord(agentEvents.outdated, {
          time: unixNow(),
          subject: container.id,
          body: `container ${container.name} runs an image that ${container.image} does not mean any more`,
          attributes: { 'docker.image.reference': container.image, 'docker.image.current_id': newer },
        });
        void this.options.sink.emitEvent(container.resource, record);
      }
    }
  }
}

/** Without what stands for none. */
export const namesOf = (references: readonly string[] | null | undefined): string[] =>
  (references ?? []).filter((reference) => reference !== NONE && !reference.startsWith('<none>@'));

/** What is left of an object of which only id and name are known. */
const identity: Readonly<Record<Kind, (id: string, name: string) => Attributes>> = {
  image: (id) => ({ 'container.image.id': id }),
  volume: (id) => ({ 'docker.volume.name': id }),
  network: (id, name) => ({ 'docker.network.id': id, 'docker.network.name': name }),
};

function imageItem(image: ListedImage, containers: number): Item {
  const references = namesOf(image.RepoTags);
  const name = references[0] ?? image.Id.replace('sha256:', '').slice(0, 12);
  return {
    id: image.Id,
    name,
    attributes: {
      ...identity.image(image.Id, name),
      'docker.image.references': references,
      'container.image.repo_digests': namesOf(image.RepoDigests),
      'docker.image.dangling': references.length === 0,
      'docker.image.created': new Date(image.Created * 1000).toISOString(),
      'docker.image.size': image.Size,
    },
    passing: {
      'docker.image.age': Math.max(0, Math.round(Date.now() / 1000 - image.Created)),
      'docker.image.containers': containers,
    },
  };
}

function volumeItem({ Name, Driver, Scope }: VolumeInspectInfo, isUsed: boolean): Item {
  return {
    id: Name,
    name: Name,
    attributes: {
      ...identity.volume(Name, Name),
      'docker.volume.driver': Driver,
      'docker.volume.scope': Scope,
      'docker.volume.used': isUsed,
    },
    passing: {},
  };
}

function networkItem(network: NetworkInspectInfo): Item {
  const members = Object.values(network.Containers ?? {});
  const attributes: Record<string, AttributeValue> = {
    ...identity.network(network.Id, network.Name),
    'docker.network.driver': network.Driver,
    'docker.network.scope': network.Scope,
    'docker.network.internal': network.Internal,
    'docker.network.subnets': (network.IPAM?.Config ?? []).flatMap(({ Subnet }) => Subnet ?? []),
    // With their addresses: `web 172.17.0.2/16`.
    'docker.network.members': members
      .map(({ Name, IPv4Address, IPv6Address }) => [Name, IPv4Address, IPv6Address].filter(Boolean).join(' '))
      .sort(),
  };
  return { id: network.Id, name: network.Name, attributes, passing: {} };
}

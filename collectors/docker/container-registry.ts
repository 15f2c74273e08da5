/** The containers that exist, each as one object with the daemon's description. */
import type Docker from 'dockerode';
import type { ContainerInspectInfo, DockerVersion, ImageInspectInfo } from 'dockerode';
import { isNotFound, withTimeout } from '../engine/client.ts';
import { fromActor, fromInspect, runtimeAttributes, type Surroundings } from '../lifecycle/identity.ts';
import type { ReportedState } from '../lifecycle/reported-state.ts';
import type { Attributes, Container } from '../records/records.ts';
import type { WildcardMatcher } from '../shared/wildcard.ts';

/** How long the daemon may take to describe one container: events wait for the answer. */
const ANSWER_MS = 3000;

export interface ContainerRegistryOptions {
  readonly docker: Docker;
  /** Whether a container label becomes a resource attribute. */
  readonly isWantedLabel: WildcardMatcher;
  /** Whether a container is observed. For a container of which only an event is left, it must answer at once. */
  readonly selects: (container: Container) => boolean | Promise<boolean>;
  /** Further resource attributes of a running container. */
  readonly optionalAttributes: (container: Container) => Attributes;
  /** Whether the container was reported as removed: an earlier answer of the daemon comes too late. */
  readonly isRemoved: (id: string) => boolean;
  readonly onRemoved: (container: Container) => void;
  readonly onError: (error: unknown) => void;
  readonly signal: AbortSignal;
}

export class ContainerRegistry {
  /** Every container that exists and is observed, by id. */
  readonly known = new Map<string, Container>();
  /** Ids of those that exist and are not observed. */
  readonly ignored = new Set<string>();
  private readonly options: ContainerRegistryOptions;
  /** Attributes of the host and, once it answered, of the daemon. */
  private surroundings: Surroundings = {};
  private readonly images = new Map<string, ImageInspectInfo>();
  /** Counts requests: of two answers that overtake each other, the later request's counts. */
  private requestCount = 0;
  private readonly updatedBy = new WeakMap<Container, number>();

  constructor(options: ContainerRegistryOptions) {
    this.options = options;
  }

  /** Sets the attributes of host and daemon that every container described from now on has. */
  setDaemon(version: DockerVersion, surroundings: Surroundings): void {
    this.surroundings = { ...surroundings, ...runtimeAttributes(version) };
  }

  /** An image changed: its tags, or whether it exists. */
  forgetImage(id: string): void {
    this.images.delete(id);
  }

  /**
   * Updates a container's one object from the daemon's description.
   * @returns undefined if the container no longer exists, or is not observed
   * @throws when the daemon cannot describe it
   */
  async inspect(id: string): Promise<Container | undefined> {
    const order = ++this.requestCount;
    const fresh = await this.requestContainer(id);
    if (fresh === undefined) return undefined;
    const isSelected = this.known.has(id) || (await this.options.selects(fresh));
    const known = this.known.get(id);
    if (known !== undefined) return this.update(known, fresh, order);
    if (this.options.isRemoved(id)) return undefined;
    if (!isSelected) {
      this.ignored.add(id);
      return undefined;
    }
    this.known.set(id, fresh);
    this.updatedBy.set(fresh, order);
    return fresh;
  }

  /**
   * Updates a container that can be removed before the answer arrives; an unknown one stays unknown.
   * @throws when the daemon cannot describe it
   */
  async refresh(id: string): Promise<void> {
    const order = ++this.requestCount;
    const fresh = await this.requestContainer(id);
    const known = this.known.get(id);
    if (fresh !== undefined && known !== undefined) this.update(known, fresh, order);
  }

  /** The container no longer exists. */
  remove(container: Container): void {
    this.known.delete(container.id);
    this.options.onRemoved(container);
  }

  private update(known: Container, fresh: Container, order: number): Container {
    if (order < (this.updatedBy.get(known) ?? 0)) return known;
    this.updatedBy.set(known, order);
    return Object.assign(known, fresh);
  }

  private async requestContainer(id: string): Promise<Container | undefined> {
    const { docker, isWantedLabel, optionalAttributes } = this.options;
    let inspect: ContainerInspectInfo;
    try {
      const abortSignal = AbortSignal.any([this.options.signal, AbortSignal.timeout(ANSWER_MS)]);
      inspect = await docker.getContainer(id).inspect({ abortSignal } as object);
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
    const fresh = fromInspect(
      inspect,
      await this.requestImage(inspect.Image),
      this.surroundings,
      isWantedLabel,
    );
    const more = optionalAttributes(fresh);
    if (Object.keys(more).length > 0)
      fresh.resource = { ...fresh.resource, attributes: { ...fresh.resource.attributes, ...more } };
    return fresh;
  }

  /** A container of which only an event and its reported state are left; undefined if it is not observed. */
  fromMemory(
    id: string,
    actor: Readonly<Record<string, string>>,
    state: ReportedState | undefined,
  ): Container | undefined {
    const container = fromActor(id, actor, this.surroundings, this.options.isWantedLabel);
    if (state !== undefined) {
      container.name = state.name;
      container.resource = { ...container.resource, attributes: state.resource };
      return container;
    }
    return this.options.selects(container) === true ? container : undefined;
  }

  /** Of an image only the tags change; undefined if it was deleted since. */
  private async requestImage(id: string): Promise<ImageInspectInfo | undefined> {
    const { docker, signal, onError } = this.options;
    const known = this.images.get(id);
    if (known !== undefined) return known;
    try {
      const details = await withTimeout(docker.getImage(id).inspect(), ANSWER_MS, signal);
      this.images.set(id, details);
      return details;
    } catch (error) {
      // The container is reported without its image's attributes.
      if (!isNotFound(error)) onError(error);
      return undefined;
    }
  }
}

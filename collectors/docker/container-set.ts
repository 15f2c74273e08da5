/** The containers that exist, each as one object, described by the daemon. */

import type Docker from 'dockerode';
import type { ContainerInspectInfo, DockerVersion, ImageInspectInfo } from 'dockerode';
import { isNotFound, withTimeout } from '../engine/client.ts';
import { fromActor, fromInspect, runtimeAttributes, type Surroundings } from '../lifecycle/identity.ts';
import type { ReportedState } from '../lifecycle/reported-state.ts';
import type { Attributes, Container } from '../records/records.ts';
import type { WildcardMatcher } from '../shared/wildcard.ts';

/** How long the daemon may take to describe one container: events wait for it. */
const ANSWER_MS = 3000;

export interface ContainersOptions {
  readonly docker: Docker;
  /** Whether a container label becomes a resource attribute. */
  readonly isWantedLabel: WildcardMatcher;
  /** Whether a container is observed at all; for one of which only an event is left, it is to be known at once. */
  readonly selects: (container: Container) => boolean | Promise<boolean>;
  /** What else the resource of a running container is to bear. */
  readonly describe: (container: Container) => Attributes;
  /** Whether it was told that a container is gone: what the daemon said of it before comes too late. */
  readonly isGone: (id: string) => boolean;
  readonly onFault: (error: unknown) => void;
  readonly stopping: AbortSignal;
}

export class Containers {
  /** Every container that exists and is observed, by id. */
  readonly known = new Map<string, Container>();
  /** Ids of those that exist and are not. */
  readonly ignored = new Set<string>();
  private readonly options: ContainersOptions;
  /** The host and, once it was reached, the daemon. */
  private surroundings: Surroundings = {};
  private readonly images = new Map<string, ImageInspectInfo>();
  /** Counts questions, and which of them each container's facts are the answer to. */
  private asked = 0;
  private readonly renewed = new WeakMap<Container, number>();

  constructor(options: ContainersOptions) {
    this.options = options;
  }

  /** From now on each container bears who runs it, and where. */
  runBy(version: DockerVersion, surroundings: Surroundings): void {
    this.surroundings = { ...surroundings, ...runtimeAttributes(version) };
  }

  /** An image was changed: its names, or that it is there. */
  imageChanged(id: string): void {
    this.images.delete(id);
  }

  /**
   * Reads a container's facts into its one object; undefined when it no longer exists, or is not observed.
   * @throws when the daemon cannot describe it
   */
  async inspect(id: string): Promise<Container | undefined> {
    const order = ++this.asked;
    const fresh = await this.ask(id);
    if (fresh === undefined) return undefined;
    const isSelected = this.known.has(id) || (await this.options.selects(fresh));
    const known = this.known.get(id);
    if (known !== undefined) return this.renew(known, fresh, order);
    if (this.options.isGone(id)) return undefined;
    if (!isSelected) {
      this.ignored.add(id);
      return undefined;
    }
    this.known.set(id, fresh);
    this.renewed.set(fresh, order);
    return fresh;
  }

  /**
   * Reads the facts of a container anew that may be gone by the time they are there.
   * @throws when the daemon cannot describe it
   */
  async refresh(id: string): Promise<void> {
    const order = ++this.asked;
    const fresh = await this.ask(id);
    const known = this.known.get(id);
    if (fresh !== undefined && known !== undefined) this.renew(known, fresh, order);
  }

  /** Answers can overtake each other: the last question's counts. */
  private renew(known: Container, fresh: Container, order: number): Container {
    if (order < (this.renewed.get(known) ?? 0)) return known;
    this.renewed.set(known, order);
    return Object.assign(known, fresh);
  }

  private async ask(id: string): Promise<Container | undefined> {
    const { docker, isWantedLabel, describe } = this.options;
    let inspect: ContainerInspectInfo;
    try {
      const abortSignal = AbortSignal.any([this.options.stopping, AbortSignal.timeout(ANSWER_MS)]);
      inspect = await docker.getContainer(id).inspect({ abortSignal } as object);
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
    const fresh = fromInspect(inspect, await this.image(inspect.Image), this.surroundings, isWantedLabel);
    const more = describe(fresh);
    if (Object.keys(more).length > 0)
      fresh.resource = { ...fresh.resource, attributes: { ...fresh.resource.attributes, ...more } };
    return fresh;
  }

  /**
   * A container of which only an event is left, and what was told of it; undefined when it is not observed.
   */
  remembered(
    id: string,
    actor: Readonly<Record<string, string>>,
    told: ReportedState | undefined,
  ): Container | undefined {
    const container = fromActor(id, actor, this.surroundings, this.options.isWantedLabel);
    if (told !== undefined) {
      container.name = told.name;
      container.resource = { ...container.resource, attributes: told.resource };
      return container;
    }
    return this.options.selects(container) === true ? container : undefined;
  }

  /** An image's facts never change but for its tags; undefined when it was deleted since. */
  private async image(id: string): Promise<ImageInspectInfo | undefined> {
    const known = this.images.get(id);
    if (known !== undefined) return known;
    try {
      const details = await this.answer(this.options.docker.getImage(id).inspect());
      this.images.set(id, details);
      return details;
    } catch (error) {
      // A container is worth more than what its image adds to it.
      if (!isNotFound(error)) this.options.onFault(error);
      return undefined;
    }
  }

  private answer<T>(answer: Promise<T>): Promise<T> {
    return withTimeout(answer, ANSWER_MS, this.options.stopping);
  }
}

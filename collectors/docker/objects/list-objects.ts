/**
 * Lists the daemon's images, volumes and networks.
 * Source: GET /images/json, /volumes, /networks, /networks/{id}.
 */
import type Docker from 'dockerode';
import type { NetworkInspectInfo } from 'dockerode';
import { isNotFound, withTimeout } from '../../engine/client.ts';
import type { Container } from '../../records/records.ts';
import {
  type DockerObject,
  type ImageSummary,
  imageObject,
  networkObject,
  volumeObject,
} from './docker-object.ts';

/** How long the daemon may take for one answer. */
const ANSWER_TIMEOUT_MS = 10_000;

/** All objects of one kind. */
export interface Listing {
  readonly objects: readonly DockerObject[];
  /** Ids of the objects that are not reported. */
  readonly excludedIds: readonly string[];
}

export interface ObjectListerOptions {
  readonly docker: Docker;
  readonly containers: () => Iterable<Container>;
  /**
   * Whether objects with these labels are reported. Undefined for images: their labels are those of their
   * makers.
   */
  readonly isReported: (labels: Readonly<Record<string, string>> | undefined) => boolean;
}

export const imageIdOf = ({ resource }: Container): string | undefined => {
  const id = resource.attributes['container.image.id'];
  return typeof id === 'string' ? id : undefined;
};

/**
 * All images: those that the daemon lists, and those that containers use and the daemon does not list,
 * because another image was built on them.
 */
export async function listImages(docker: Docker, usedIds: Iterable<string>): Promise<ImageSummary[]> {
  const images: ImageSummary[] = await docker.listImages();
  const listed = new Set(images.map(({ Id }) => Id));
  for (const id of new Set(usedIds)) {
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

export class ObjectLister {
  private readonly options: ObjectListerOptions;
  private readonly stopping: AbortSignal;

  constructor(options: ObjectListerOptions, stopping: AbortSignal) {
    this.options = options;
    this.stopping = stopping;
  }

  fetchImages(): Promise<ImageSummary[]> {
    const usedIds = [...this.options.containers()].map(imageIdOf).filter((id) => id !== undefined);
    return this.inTime(listImages(this.options.docker, usedIds));
  }

  imageListing(images: readonly ImageSummary[]): Listing {
    if (!this.options.isReported(undefined)) return { objects: [], excludedIds: images.map(({ Id }) => Id) };
    const containerCounts = new Map<string, number>();
    for (const container of this.options.containers()) {
      const id = container.pid === 0 ? undefined : imageIdOf(container);
      if (id !== undefined) containerCounts.set(id, (containerCounts.get(id) ?? 0) + 1);
    }
    return {
      objects: images.map((image) => imageObject(image, containerCounts.get(image.Id) ?? 0)),
      excludedIds: [],
    };
  }

  async fetchVolumes(): Promise<Listing> {
    const list = (filters: object) => this.inTime(this.options.docker.listVolumes(filters));
    const [all, dangling] = await Promise.all([list({}), list({ filters: { dangling: ['true'] } })]);
    const unused = new Set((dangling.Volumes ?? []).map(({ Name }) => Name));
    const [reported, excluded] = this.partition(all.Volumes ?? []);
    return {
      objects: reported.map((volume) => volumeObject(volume, !unused.has(volume.Name))),
      excludedIds: excluded.map(({ Name }) => Name),
    };
  }

  async fetchNetworks(): Promise<Listing> {
    const { docker } = this.options;
    const [reported, excluded] = this.partition(await this.inTime(docker.listNetworks()));
    const networks: NetworkInspectInfo[] = [];
    for (const { Id } of reported) {
      try {
        networks.push(await this.inTime(docker.getNetwork(Id).inspect()));
      } catch (error) {
        if (!isNotFound(error)) throw error;
      }
    }
    return { objects: networks.map(networkObject), excludedIds: excluded.map(({ Id }) => Id) };
  }

  /** Objects that are reported, and those that are not. */
  private partition<T extends { readonly Labels?: Readonly<Record<string, string>> | null }>(
    all: readonly T[],
  ): [T[], T[]] {
    const isReported = ({ Labels }: T) => this.options.isReported(Labels ?? {});
    return [all.filter(isReported), all.filter((object) => !isReported(object))];
  }

  private inTime<T>(answer: Promise<T>): Promise<T> {
    return withTimeout(answer, ANSWER_TIMEOUT_MS, this.stopping);
  }
}

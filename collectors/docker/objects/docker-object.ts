/** Images, volumes and networks as the agent reports them. */
import type { ImageInfo, NetworkInspectInfo, VolumeInspectInfo } from 'dockerode';
import type { Attributes, AttributeValue } from '../../records/records.ts';
import { usableReferences } from './image-references.ts';

export const objectKinds = ['image', 'volume', 'network'] as const;
export type ObjectKind = (typeof objectKinds)[number];
export const isObjectKind = (type: string): type is ObjectKind =>
  (objectKinds as readonly string[]).includes(type);

export interface DockerObject {
  readonly id: string;
  /** Its name for a person. */
  readonly name: string;
  /** A change of any of these is a change of the object. */
  readonly attributes: Attributes;
  /** Attributes that change with time or with other objects: a change of these is not reported. */
  readonly volatileAttributes: Attributes;
}

/** What the agent reads of an image. */
export type ImageSummary = Pick<ImageInfo, 'Id' | 'RepoTags' | 'RepoDigests' | 'Created' | 'Size'>;

/** The attributes that are known of an object even when only its id and name are. */
export const identityAttributes: Readonly<Record<ObjectKind, (id: string, name: string) => Attributes>> = {
  image: (id) => ({ 'container.image.id': id }),
  volume: (id) => ({ 'docker.volume.name': id }),
  network: (id, name) => ({ 'docker.network.id': id, 'docker.network.name': name }),
};

/** @param containerCount running containers of the image */
export function imageObject(image: ImageSummary, containerCount: number): DockerObject {
  const references = usableReferences(image.RepoTags);
  const name = references[0] ?? image.Id.replace('sha256:', '').slice(0, 12);
  return {
    id: image.Id,
    name,
    attributes: {
      ...identityAttributes.image(image.Id, name),
      'docker.image.references': references,
      'container.image.repo_digests': usableReferences(image.RepoDigests),
      'docker.image.dangling': references.length === 0,
      'docker.image.created': new Date(image.Created * 1000).toISOString(),
      'docker.image.size': image.Size,
    },
    volatileAttributes: {
      'docker.image.age': Math.max(0, Math.round(Date.now() / 1000 - image.Created)),
      'docker.image.containers': containerCount,
    },
  };
}

export function volumeObject({ Name, Driver, Scope }: VolumeInspectInfo, isUsed: boolean): DockerObject {
  return {
    id: Name,
    name: Name,
    attributes: {
      ...identityAttributes.volume(Name, Name),
      'docker.volume.driver': Driver,
      'docker.volume.scope': Scope,
      'docker.volume.used': isUsed,
    },
    volatileAttributes: {},
  };
}

export function networkObject(network: NetworkInspectInfo): DockerObject {
  const members = Object.values(network.Containers ?? {});
  const attributes: Record<string, AttributeValue> = {
    ...identityAttributes.network(network.Id, network.Name),
    'docker.network.driver': network.Driver,
    'docker.network.scope': network.Scope,
    'docker.network.internal': network.Internal,
    'docker.network.subnets': (network.IPAM?.Config ?? []).flatMap(({ Subnet }) => Subnet ?? []),
    // With their addresses: `web 172.17.0.2/16`.
    'docker.network.members': members
      .map(({ Name, IPv4Address, IPv6Address }) => [Name, IPv4Address, IPv6Address].filter(Boolean).join(' '))
      .sort(),
  };
  return { id: network.Id, name: network.Name, attributes, volatileAttributes: {} };
}

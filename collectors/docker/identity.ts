/**
 * One container, one identity: the OpenTelemetry resource that every record of a container carries.
 * Source: https://opentelemetry.io/docs/specs/semconv/resource/container/
 */
import type { ContainerInspectInfo, DockerVersion, ImageInspectInfo } from 'dockerode';
import type { Attributes, AttributeValue, Container } from '../../agent/records.ts';
import { matches } from '../../agent/selection.ts';
import { parseTime } from './time.ts';

export interface ImageReference {
  readonly name: string;
  readonly tag: string | undefined;
}

/** `registry:5000/team/app:1.2@sha256:…` → its name without tag and digest, and its tag. */
export function parseImageReference(reference: string): ImageReference {
  const [withoutDigest] = reference.split('@');
  const colon = withoutDigest!.lastIndexOf(':');
  if (colon === -1 || withoutDigest!.indexOf('/', colon) !== -1)
    return { name: withoutDigest!, tag: undefined };
  return { name: withoutDigest!.slice(0, colon), tag: withoutDigest!.slice(colon + 1) };
}

/** Who runs it, in a person's terms: the Compose or Swarm service, else the container's name. */
export function serviceName(name: string, labels: Readonly<Record<string, string>>): string {
  return labels['com.docker.swarm.service.name'] ?? labels['com.docker.compose.service'] ?? name;
}

interface Known {
  id: string;
  name: string;
  image: string;
  imageId?: string;
  labels: Readonly<Record<string, string>>;
}

/** Facts of the daemon and its host that every container's resource has in common. */
export type Surroundings = Attributes;

/** Who runs the containers, from GET /version: Podman answers to the same API. */
export function runtimeAttributes(version: DockerVersion): Attributes {
  const [engine] = version.Components ?? [];
  return {
    'container.runtime.name': engine?.Name.startsWith('Podman') ? 'podman' : 'docker',
    'container.runtime.version': version.Version,
  };
}

export function resourceAttributes(
  { id, name, image, imageId, labels }: Known,
  details: Pick<ImageInspectInfo, 'RepoTags' | 'RepoDigests'> | undefined,
  surroundings: Surroundings,
  wantedLabels: readonly string[] = [],
): Attributes {
  // A container made from a bare image id says so; then the image's first tag is the better name.
  const named = image.startsWith('sha256:') ? (details?.RepoTags?.[0] ?? image) : image;
  const reference = named.startsWith('sha256:')
    ? { name: named, tag: undefined }
    : parseImageReference(named);
  const namespace = labels['com.docker.compose.project'] ?? labels['com.docker.stack.namespace'];
  const attributes: Record<string, AttributeValue> = {
    'service.name': serviceName(name, labels),
    'container.id': id,
    'container.name': name,
    'container.image.name': reference.name,
  };
  if (namespace !== undefined) attributes['service.namespace'] = namespace;
  if (reference.tag !== undefined) attributes['container.image.tags'] = [reference.tag];
  if (imageId !== undefined) attributes['container.image.id'] = imageId;
  if (details?.RepoDigests?.length) attributes['container.image.repo_digests'] = details.RepoDigests;
  for (const [key, value] of Object.entries(labels)) {
    if (wantedLabels.some((pattern) => matches(pattern, key))) attributes[`container.label.${key}`] = value;
  }
  return { ...attributes, ...surroundings };
}

/** The container as the Engine API describes it. */
export function fromInspect(
  inspect: ContainerInspectInfo,
  details: ImageInspectInfo | undefined,
  surroundings: Surroundings,
  wantedLabels: readonly string[] = [],
): Container {
  const known = {
    id: inspect.Id,
    name: inspect.Name.replace(/^\//, ''),
    image: inspect.Config.Image,
    imageId: inspect.Image,
    labels: inspect.Config.Labels ?? {},
  };
  return {
    id: known.id,
    name: known.name,
    image: known.image,
    labels: known.labels,
    resource: { attributes: resourceAttributes(known, details, surroundings, wantedLabels) },
    pid: inspect.State.Running ? inspect.State.Pid : 0,
    startedAt: parseTime(inspect.State.StartedAt),
    tty: inspect.Config.Tty,
    logDriver: inspect.HostConfig.LogConfig?.Type ?? '',
    logPath: inspect.LogPath,
    logMaxSize: sizeOf(inspect.HostConfig.LogConfig?.Config?.['max-size']),
    networkMode: inspect.HostConfig.NetworkMode ?? '',
    reachedBy: reachedBy(inspect),
    status: inspect.State.Status,
    health: healthOf(inspect.State.Health?.Status),
    restarts: inspect.RestartCount,
    exitCode: inspect.State.ExitCode,
    oomKilled: inspect.State.OOMKilled,
    imageCreated: details === undefined ? 0n : parseTime(details.Created),
  };
}

function reachedBy({ Name, Config, HostConfig, NetworkSettings }: ContainerInspectInfo): string[] {
  const networks = Object.values(NetworkSettings?.Networks ?? {}).flatMap(
    ({ Aliases, IPAddress, GlobalIPv6Address }) => [
      ...(Aliases ?? []),
      IPAddress,
      ...(GlobalIPv6Address ? [`[${GlobalIPv6Address}]`] : []),
    ],
  );
  type Bindings = Record<string, { HostPort: string }[] | null>;
  // What is asked for, and, once it runs, what was given.
  const published = [HostConfig.PortBindings, NetworkSettings?.Ports].flatMap((bindings) =>
    Object.values((bindings ?? {}) as Bindings),
  );
  const ports = published.flatMap((bindings) => (bindings ?? []).map(({ HostPort }) => `:${HostPort}`));
  return [Name.replace(/^\//, ''), Config.Hostname, ...networks, ...ports].filter(Boolean);
}

/** Sizes as Docker's options have them, in powers of 1000; at most what is meant. */
function sizeOf(text: string | undefined): number {
  const [, number, unit = ''] = /^(\d+(?:\.\d+)?)\s*([kmgt]?)i?b?$/i.exec(text ?? '') ?? [];
  return number === undefined ? 0 : Number(number) * 1000 ** ' kmgt'.indexOf(unit.toLowerCase() || ' ');
}

/** A container without a health check has none, which some versions of the API call "none". */
const healthOf = (status: string | undefined): string | undefined =>
  status === 'none' || status === '' ? undefined : status;

/**
 * The container as an event's actor describes it, for one that was gone before it could be inspected.
 * An actor's attributes are the container's labels beside a few facts.
 */
export function fromActor(
  id: string,
  actor: Readonly<Record<string, string>>,
  surroundings: Surroundings,
  wantedLabels: readonly string[] = [],
): Container {
  const known = { id, name: actor.name ?? id.slice(0, 12), image: actor.image ?? '', labels: actor };
  return {
    ...known,
    resource: { attributes: resourceAttributes(known, undefined, surroundings, wantedLabels) },
    pid: 0,
    startedAt: 0n,
    tty: false,
    logDriver: '',
    logPath: '',
    logMaxSize: 0,
    networkMode: '',
    reachedBy: [],
    status: 'removing',
    health: undefined,
    restarts: 0,
    exitCode: 0,
    oomKilled: false,
    imageCreated: 0n,
  };
}

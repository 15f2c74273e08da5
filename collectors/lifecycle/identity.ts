/**
 * The identity of a container: the OpenTelemetry resource that all its records have.
 * Source: https://opentelemetry.io/docs/specs/semconv/resource/container/
 */
import { crc32 } from 'node:zlib';
import type { ContainerInspectInfo, DockerVersion, ImageInspectInfo } from 'dockerode';
import { parseEngineTime } from '../engine/time.ts';
import type { Attributes, AttributeValue, Container } from '../records/records.ts';
import { compileWildcards, type WildcardMatcher } from '../shared/wildcard.ts';
import { DEFAULT_STOP_SIGNAL, signalName } from './exit-reason.ts';

/** Default period of a CPU quota, microseconds. */
const DEFAULT_PERIOD = 100_000;

export interface ImageReference {
  readonly name: string;
  readonly tag: string | undefined;
}

/** `registry:5000/team/app:1.2@sha256:…` → the name without tag and digest, and the tag. */
export function parseImageReference(reference: string): ImageReference {
  const [withoutDigest] = reference.split('@');
  const colon = withoutDigest!.lastIndexOf(':');
  if (colon === -1 || withoutDigest!.indexOf('/', colon) !== -1)
    return { name: withoutDigest!, tag: undefined };
  return { name: withoutDigest!.slice(0, colon), tag: withoutDigest!.slice(colon + 1) };
}

/** `docker.io/library/nginx` → `nginx`, as the daemon lists it. */
export const familiarName = (reference: string): string =>
  reference.replace(/^(?:index\.)?docker\.io\/(?:library\/)?/, '');

/** The name of the Swarm or Compose service, else of the container. */
function serviceName(name: string, labels: Readonly<Record<string, string>>): string {
  return labels['com.docker.swarm.service.name'] ?? labels['com.docker.compose.service'] ?? name;
}

/** Swarm's labels of a task's container, and their attributes. */
const SWARM: Readonly<Record<string, string>> = {
  'com.docker.swarm.service.id': 'docker.swarm.service.id',
  'com.docker.swarm.service.name': 'docker.swarm.service.name',
  'com.docker.swarm.task.id': 'docker.swarm.task.id',
  'com.docker.swarm.task.name': 'docker.swarm.task.name',
  'com.docker.swarm.node.id': 'docker.swarm.node.id',
};

interface ContainerFacts {
  id: string;
  name: string;
  image: string;
  imageId?: string;
  labels: Readonly<Record<string, string>>;
}

/** Attributes of the daemon and its host, which all its containers' resources share. */
export type Surroundings = Attributes;

/** The container runtime, from GET /version. Podman implements the same API. */
export function runtimeAttributes(version: DockerVersion): Attributes {
  const [engine] = version.Components ?? [];
  return {
    'container.runtime.name': engine?.Name.startsWith('Podman') ? 'podman' : 'docker',
    'container.runtime.version': version.Version,
  };
}

export function resourceAttributes(
  { id, name, image, imageId, labels }: ContainerFacts,
  details: Pick<ImageInspectInfo, 'RepoTags' | 'RepoDigests'> | undefined,
  surroundings: Surroundings,
  isWantedLabel: WildcardMatcher = compileWildcards(),
): Attributes {
  // A container created from a bare image id: the image's first tag is the better name.
  const named = image.startsWith('sha256:') ? (details?.RepoTags?.[0] ?? image) : image;
  const reference = named.startsWith('sha256:')
    ? { name: named, tag: undefined }
    : parseImageReference(named);
  const namespace = labels['com.docker.compose.project'] ?? labels['com.docker.stack.namespace'];
  const attributes: Record<string, AttributeValue> = {
    'service.name': serviceName(name, labels),
    'container.id': id,
    'container.name': name,
  };
  if (reference.name !== '') attributes['container.image.name'] = reference.name;
  if (namespace !== undefined) attributes['service.namespace'] = namespace;
  for (const [label, attribute] of Object.entries(SWARM)) {
    if (labels[label]) attributes[attribute] = labels[label];
  }
  if (reference.tag !== undefined) attributes['container.image.tags'] = [reference.tag];
  if (imageId !== undefined) attributes['container.image.id'] = imageId;
  if (details?.RepoDigests?.length) attributes['container.image.repo_digests'] = details.RepoDigests;
  for (const [key, value] of Object.entries(labels)) {
    if (isWantedLabel(key)) attributes[`container.label.${key}`] = value;
  }
  return { ...attributes, ...surroundings };
}

/** The container from the Engine API's description. */
export function fromInspect(
  inspect: ContainerInspectInfo,
  details: ImageInspectInfo | undefined,
  surroundings: Surroundings,
  isWantedLabel: WildcardMatcher = compileWildcards(),
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
    resource: { attributes: resourceAttributes(known, details, surroundings, isWantedLabel), subject: known },
    pid: inspect.State.Running ? inspect.State.Pid : 0,
    createdAt: parseEngineTime(inspect.Created),
    startedAt: parseEngineTime(inspect.State.StartedAt),
    finishedAt: parseEngineTime(inspect.State.FinishedAt),
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
    healthAt: parseEngineTime(inspect.State.Health?.Log?.at(-1)?.End ?? ''),
    stopSignal: signalName(
      (inspect.Config as { StopSignal?: string | number }).StopSignal ?? DEFAULT_STOP_SIGNAL,
    ),
    healthCommand: healthCommandOf(inspect.Config),
    restartPolicy: inspect.HostConfig.RestartPolicy?.Name ?? '',
    privileged: inspect.HostConfig.Privileged ?? false,
    hostPid: inspect.HostConfig.PidMode === 'host',
    mounts: (inspect.Mounts ?? [])
      .filter(({ Type }) => Type === 'bind')
      .map(({ Source, Destination, RW }) => ({ source: Source, destination: Destination, writable: RW })),
    securityOptions: inspect.HostConfig.SecurityOpt ?? [],
    settings: settingsOf(inspect.HostConfig),
    memoryLimit: inspect.HostConfig.Memory ?? 0,
    cpuLimit: cpuLimitOf(inspect.HostConfig),
    imageCreated: details === undefined ? 0n : parseEngineTime(details.Created),
  };
}

function cpuLimitOf({
  NanoCpus = 0,
  CpuQuota = 0,
  CpuPeriod = 0,
}: ContainerInspectInfo['HostConfig']): number {
  if (NanoCpus > 0) return NanoCpus / 1e9;
  return CpuQuota > 0 ? CpuQuota / (CpuPeriod || DEFAULT_PERIOD) : 0;
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
  // The requested ports and, while it runs, the assigned ones.
  const published = [HostConfig.PortBindings, NetworkSettings?.Ports].flatMap((bindings) =>
    Object.values((bindings ?? {}) as Bindings),
  );
  const ports = published.flatMap((bindings) => (bindings ?? []).map(({ HostPort }) => `:${HostPort}`));
  return [Name.replace(/^\//, ''), Config.Hostname, ...networks, ...ports].filter(Boolean);
}

/** A size of Docker's log options, in powers of 1000: at most what is meant. Bytes. */
function sizeOf(text: string | undefined): number {
  const [, number, unit = ''] = /^(\d+(?:\.\d+)?)\s*([kmgt]?)i?b?$/i.exec(text ?? '') ?? [];
  return number === undefined ? 0 : Number(number) * 1000 ** ' kmgt'.indexOf(unit.toLowerCase() || ' ');
}

/** `["CMD", "curl", "-f", …]` or `["CMD-SHELL", "curl -f …"]` → the command line as an exec event shows it. */
function healthCommandOf(config: ContainerInspectInfo['Config']): string {
  const [kind, ...words] = config.Healthcheck?.Test ?? [];
  if (kind === 'CMD') return words.join(' ').trimEnd();
  const { Shell = ['/bin/sh', '-c'] } = config as { Shell?: readonly string[] };
  return kind === 'CMD-SHELL' ? [...Shell, ...words].join(' ').trimEnd() : '';
}

/** The settings that `docker update` can change: https://docs.docker.com/reference/cli/docker/container/update/ */
const UPDATABLE = [
  'BlkioWeight',
  'CpuPeriod',
  'CpuQuota',
  'CpuRealtimePeriod',
  'CpuRealtimeRuntime',
  'CpuShares',
  'CpusetCpus',
  'CpusetMems',
  'KernelMemory',
  'Memory',
  'MemoryReservation',
  'MemorySwap',
  'NanoCpus',
  'PidsLimit',
  'RestartPolicy',
] as const;

function settingsOf(host: ContainerInspectInfo['HostConfig']): number {
  const values = UPDATABLE.map((key) => (host as Readonly<Record<string, unknown>>)[key] ?? null);
  return crc32(JSON.stringify(values));
}

/** Some versions of the API return "none" for a container without a health check. */
const healthOf = (status: string | undefined): string | undefined =>
  status === 'none' || status === '' ? undefined : status;

/**
 * The container from an event's actor, for a container that was removed before it could be inspected. An actor's
 * attributes are the container's labels and a few facts.
 */
export function fromActor(
  id: string,
  actor: Readonly<Record<string, string>>,
  surroundings: Surroundings,
  isWantedLabel: WildcardMatcher = compileWildcards(),
): Container {
  const known = { id, name: actor.name ?? id.slice(0, 12), image: actor.image ?? '', labels: actor };
  return {
    ...known,
    resource: {
      attributes: resourceAttributes(known, undefined, surroundings, isWantedLabel),
      subject: known,
    },
    pid: 0,
    createdAt: 0n,
    startedAt: 0n,
    finishedAt: 0n,
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
    healthAt: 0n,
    stopSignal: DEFAULT_STOP_SIGNAL,
    healthCommand: '',
    restartPolicy: '',
    privileged: false,
    hostPid: false,
    mounts: [],
    securityOptions: [],
    settings: 0,
    memoryLimit: 0,
    cpuLimit: 0,
    imageCreated: 0n,
  };
}

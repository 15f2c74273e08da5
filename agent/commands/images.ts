/** `portlight images`: the daemon's images, and the containers that use them. */
import type { Command } from 'commander';
import { listedReference, usableReferences } from '../../collectors/docker/objects/image-references.ts';
import { listImages } from '../../collectors/docker/objects/list-objects.ts';
import { familiarName, parseImageReference } from '../../collectors/lifecycle/identity.ts';
import { formatBytes, formatDuration } from '../../exporters/console/format.ts';
import type { Containers, Images } from '../../exporters/dashboard/api.ts';
import type { AgentClient } from '../views/watch/agent-client.ts';
import { type Daemon, daemonOrAgent } from '../views/watch/daemon.ts';
import { loadCommandConfig } from './config-flags.ts';
import { printAs, printTable } from './output.ts';
import { withProgress } from './progress.ts';

/** The JSON form of a row; unknown values are absent. */
interface Row {
  readonly id: string;
  readonly references: readonly string[];
  readonly digests?: readonly string[];
  /** ISO 8601. */
  readonly created?: string;
  /** Bytes. */
  readonly size?: number;
  /** Running containers of the image. */
  readonly containers: readonly string[];
  /** Those of them whose image reference now names another image. */
  readonly outdated?: readonly string[];
}

const shortId = (id: string): string => id.replace('sha256:', '').slice(0, 12);

async function fromDaemon(daemon: Daemon): Promise<Row[]> {
  const { docker, endpoint, request } = daemon;
  // The container list has an id in place of a reference that now names another image.
  const listing = daemon.runningContainers().then(async (found) => {
    const used = found.map(({ Image }) => Image);
    const all = await request(listImages(docker, used));
    const { isHost } = await daemon.scope();
    return { running: found, all, listed: isHost ? all : all.filter(({ Id }) => used.includes(Id)) };
  });
  const { running, all, listed } = await withProgress(() => `listing images of ${endpoint.host}`, listing);
  const current = new Map(
    all.flatMap(({ Id, RepoTags }) => (RepoTags ?? []).map((tag) => [familiarName(tag), Id])),
  );
  const containers = running.map(({ Name, Config, Image }) => {
    const reference = listedReference(Config.Image);
    const means = reference === undefined ? undefined : current.get(reference);
    return {
      name: Name.replace(/^\//, ''),
      imageId: Image,
      isOutdated: means !== undefined && means !== Image,
    };
  });
  return listed.map(
    (image): Row => ({
      id: image.Id,
      references: usableReferences(image.RepoTags),
      digests: usableReferences(image.RepoDigests),
      created: new Date(image.Created * 1000).toISOString(),
      size: image.Size,
      containers: containers.filter(({ imageId }) => imageId === image.Id).map(({ name }) => name),
      outdated: containers
        .filter(({ imageId, isOutdated }) => imageId === image.Id && isOutdated)
        .map(({ name }) => name),
    }),
  );
}

async function fromAgent(agent: AgentClient): Promise<Row[]> {
  const [{ images: listed }, { containers }] = await Promise.all([
    agent.get<Images>('/api/images'),
    agent.get<Containers>('/api/containers'),
  ]);
  const running = new Set(containers.filter(({ status }) => status === 'running').map(({ id }) => id));
  return listed.map(({ id, references, createdAt, size, containers: users }) => ({
    id,
    references,
    ...(createdAt === null ? {} : { created: new Date(createdAt).toISOString() }),
    ...(size === null ? {} : { size }),
    containers: users.filter((user) => running.has(user.id)).map(({ name }) => name),
  }));
}

export async function printImages({ output }: { output: string }, command: Command): Promise<void> {
  const { config } = await loadCommandConfig(command);
  const found = await daemonOrAgent(config, fromDaemon, fromAgent);
  const rows = found.sort((a, b) => ((a.references[0] ?? '~') < (b.references[0] ?? '~') ? -1 : 1));
  await printAs(output, rows, () => show(rows));
}

function show(rows: readonly Row[]): void {
  const now = Date.now();
  const cells = rows.flatMap((row) => {
    const age = row.created === undefined ? '-' : formatDuration((now - Date.parse(row.created)) / 1000);
    const used = row.containers.map((name) => (row.outdated?.includes(name) ? `${name} (outdated)` : name));
    const references = row.references.length === 0 ? ['<none>'] : row.references;
    return references.map((reference) => {
      const { name, tag = '<none>' } = parseImageReference(reference);
      return [name, tag, shortId(row.id), age, formatBytes(row.size), used.join(', ') || '-'];
    });
  });
  const head = ['REPOSITORY', 'TAG', 'ID', 'AGE', 'SIZE', 'USED BY'];
  printTable({ head, rows: cells, right: ['AGE', 'SIZE'] });
}

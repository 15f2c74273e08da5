/** `portlight images`: the images that the daemon has, and which containers use them. */
import type { Command } from 'commander';
import { inspectRunning } from '../../collectors/docker/client.ts';
import { familiar, parseImageReference } from '../../collectors/docker/identity.ts';
import { listedReference, listImages, namesOf } from '../../collectors/objects.ts';
import { bytes, duration } from '../../exporters/console/format.ts';
import { table } from '../../exporters/console/table.ts';
import { daemonOf } from './daemon.ts';
import { configOf } from './options.ts';

const shortId = (id: string): string => id.replace('sha256:', '').slice(0, 12);

export async function images({ output }: { output: string }, command: Command): Promise<void> {
  const { config } = await configOf(command);
  const { docker, ask } = daemonOf(config);
  // The list of containers has only an id where the name means another image by now.
  const running = await ask(inspectRunning(docker));
  const listed = await ask(
    listImages(
      docker,
      running.map(({ Image }) => Image),
    ),
  );
  const current = new Map(
    listed.flatMap(({ Id, RepoTags }) => (RepoTags ?? []).map((tag) => [familiar(tag), Id])),
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
  const rows = listed
    .map((image) => ({
      id: image.Id,
      references: namesOf(image.RepoTags),
      digests: namesOf(image.RepoDigests),
      created: new Date(image.Created * 1000).toISOString(),
      size: image.Size,
      /** Running containers that were made from it. */
      containers: containers.filter(({ imageId }) => imageId === image.Id).map(({ name }) => name),
      /** Those of them whose image's name means another image by now. */
      outdated: containers
        .filter(({ imageId, isOutdated }) => imageId === image.Id && isOutdated)
        .map(({ name }) => name),
    }))
    .sort((a, b) => ((a.references[0] ?? '~') < (b.references[0] ?? '~') ? -1 : 1));
  if (output === 'json') {
    console.log(JSON.stringify(rows, null, 2));
    return;
  }
  const now = Date.now();
  const cells = rows.flatMap((row) => {
    const age = duration((now - Date.parse(row.created)) / 1000);
    const used = row.containers.map((name) => (row.outdated.includes(name) ? `${name} (outdated)` : name));
    const references = row.references.length === 0 ? ['<none>'] : row.references;
    return references.map((reference) => {
      const { name, tag = '<none>' } = parseImageReference(reference);
      return [name, tag, shortId(row.id), age, bytes(row.size), used.join(', ') || '-'];
    });
  });
  const head = ['REPOSITORY', 'TAG', 'ID', 'AGE', 'SIZE', 'USED BY'];
  console.log(table(head, cells, ['AGE', 'SIZE']).join('\n'));
}

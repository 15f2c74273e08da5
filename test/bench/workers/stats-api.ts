/** The baseline: polls the stats API once per container and interval, as agents without access to cgroups do. */
import Docker from 'dockerode';

const [socketPath, intervalMs] = process.argv.slice(2);
const docker = new Docker({ socketPath: socketPath! });
const containers = await docker.listContainers();

async function round(): Promise<void> {
  await Promise.all(
    containers.map(({ Id }) => docker.getContainer(Id).stats({ stream: false, 'one-shot': true })),
  );
}

await round();
setInterval(() => void round(), Number(intervalMs));

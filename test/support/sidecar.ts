/** Runs the agent in a container: these sources, on the Node that runs the tests. */
import { execFile, execFileSync } from 'node:child_process';
import { readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { ExecutionContext } from 'ava';
import type Docker from 'dockerode';
import { docker, IMAGE, LABEL, uniqueName } from './docker.ts';
import { Receiver } from './receiver.ts';
import { temporaryDirectory } from './temporary.ts';

const SOCKET = '/var/run/docker.sock';
const ROOT = join(import.meta.dirname, '../..');

/** Mounts that the agent needs in a container: these sources, Node, and Node's shared libraries. */
function agentBinds(): string[] {
  const linked = execFileSync('ldd', [process.execPath], { encoding: 'utf8' });
  const libraries = [...linked.matchAll(/(\/\S+) \(0x/g)].map(([, path = '']) => path);
  return [
    `${ROOT}:/portlight:ro`,
    `${realpathSync(process.execPath)}:/bin/node:ro`,
    ...libraries.map((path) => `${realpathSync(path)}:${path}:ro`),
  ];
}

/** A network for the test, with a receiver that its containers can reach. */
export async function receiverOnNetwork(
  t: ExecutionContext,
): Promise<{ receiver: Receiver; network: string; endpoint: string }> {
  const network = uniqueName('network');
  const created = await docker.createNetwork({ Name: network, Labels: { [LABEL]: 'true' } });
  t.teardown(() => created.remove().catch(() => {}));
  const { IPAM } = await created.inspect();
  const gateway = IPAM!.Config![0]!.Gateway!;
  const receiver = await Receiver.start();
  t.teardown(() => receiver.stop());
  const { port } = new URL(receiver.endpoint('http'));
  await receiver.listenAt(gateway, Number(port), 'http');
  return { receiver, network, endpoint: `http://${gateway}:${port}` };
}

/** Starts the containers of a recipe in config/sidecar/, by service; removed when the test ends. */
export async function startRecipe(
  t: ExecutionContext,
  file: string,
  variables: Record<string, string>,
): Promise<ReadonlyMap<string, Docker.Container>> {
  const directory = temporaryDirectory(t);
  const socket = new URL(process.env.DOCKER_HOST!).pathname;
  const recipe = readFileSync(join(ROOT, 'config/sidecar', file), 'utf8');
  const { DockerRootDir } = (await docker.info()) as { DockerRootDir: string };
  const text = recipe
    .replace(' /var/run/docker.sock:', ` ${socket}:`)
    .replace(
      ' /var/lib/docker/containers:/host/var/lib/docker',
      ` ${DockerRootDir}/containers:/host${DockerRootDir}`,
    );
  writeFileSync(join(directory, file), text);
  writeFileSync(join(directory, 'collector.yaml'), '');
  const idle = { image: IMAGE, labels: { [LABEL]: 'true' }, command: ['sh', '-c', 'echo begun; sleep 600'] };
  const override = {
    services: {
      web: idle,
      collector: idle,
      ...(recipe.includes('POD_IMAGE') && { pod: idle }),
      portlight: {
        ...idle,
        command: ['node', '/portlight/agent/cli.ts', 'run'],
        environment: { PORTLIGHT_INTERVAL: '500ms', ...variables },
        volumes: agentBinds(),
      },
    },
  };
  writeFileSync(join(directory, 'override.json'), JSON.stringify(override));
  const project = uniqueName('recipe');
  const compose = (...args: string[]) =>
    promisify(execFile)(
      'docker-compose',
      ['--project-name', project, '--file', file, '--file', 'override.json', ...args],
      { cwd: directory, env: { ...process.env, COMPOSE_HTTP_TIMEOUT: '240' } },
    );
  t.teardown(() => compose('down', '--volumes', '--timeout', '0'));
  await compose('up', '--detach');
  const filters = { label: [`com.docker.compose.project=${project}`] };
  return new Map(
    (await docker.listContainers({ filters })).map(({ Id, Labels }) => [
      Labels['com.docker.compose.service']!,
      docker.getContainer(Id),
    ]),
  );
}

export interface SidecarOptions {
  readonly name?: string;
  readonly labels?: Record<string, string>;
  readonly variables: Record<string, string>;
  /** Whether the daemon's socket is mounted. */
  readonly socket: boolean;
  /** The type declarations lack CgroupnsMode. */
  readonly host: Docker.HostConfig & { readonly CgroupnsMode?: 'private' | 'host' };
  readonly command?: readonly string[];
}

/** Starts the agent's container; removed when the test ends. */
export async function startSidecar(t: ExecutionContext, options: SidecarOptions): Promise<Docker.Container> {
  const { Binds = [], ...host } = options.host;
  const socket = new URL(process.env.DOCKER_HOST!).pathname;
  const variables = { PORTLIGHT_INTERVAL: '500ms', PORTLIGHT_LISTEN: '127.0.0.1:0', ...options.variables };
  const container = await docker.createContainer({
    name: options.name ?? uniqueName('sidecar'),
    Image: IMAGE,
    Labels: { [LABEL]: 'true', ...options.labels },
    Env: Object.entries(variables).map(([name, value]) => `${name}=${value}`),
    Cmd: ['node', '/portlight/agent/cli.ts', ...(options.command ?? ['run'])],
    HostConfig: {
      ...host,
      Binds: [...agentBinds(), ...(options.socket ? [`${socket}:${SOCKET}`] : []), ...Binds],
    },
  });
  t.teardown(async () => {
    if (!t.passed) t.log(await outputOf(container));
    await container.remove({ force: true, v: true }).catch(() => {});
  });
  await container.start();
  return container;
}

interface Output {
  readonly stdout: string;
  readonly stderr: string;
}

/** The text of a container's output frames. A frame's header is the stream, three zero bytes and four bytes for the length. */
function outputIn(frames: Buffer): Output {
  const parts: [Buffer[], Buffer[]] = [[], []];
  for (let at = 0; at + 8 <= frames.length; ) {
    const end = at + 8 + frames.readUInt32BE(at + 4);
    parts[frames[at] === 2 ? 1 : 0].push(frames.subarray(at + 8, end));
    at = end;
  }
  const [stdout, stderr] = parts.map((chunks) => Buffer.concat(chunks).toString('utf8'));
  return { stdout: stdout!, stderr: stderr! };
}

/** The output of a container so far. */
export async function outputOf(container: Docker.Container): Promise<Output> {
  const options = { stdout: true, stderr: true, follow: false } as const;
  return outputIn((await container.logs(options)) as unknown as Buffer);
}

/** Waits for the container's end. */
export async function ended(container: Docker.Container): Promise<Output & { readonly code: number }> {
  const { StatusCode: code } = (await container.wait()) as { StatusCode: number };
  return { code, ...(await outputOf(container)) };
}

/** Runs a command of the agent in its container, as `docker exec` does. */
export async function execSidecar(container: Docker.Container, args: readonly string[]): Promise<Output> {
  const exec = await container.exec({
    Cmd: ['node', '/portlight/agent/cli.ts', ...args],
    AttachStdout: true,
    AttachStderr: true,
  });
  const stream = await exec.start({});
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return outputIn(Buffer.concat(chunks));
}

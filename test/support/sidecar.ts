/** The agent in a container of the daemon that the tests use: these sources, on the Node that runs the tests. */
import { execFileSync } from 'node:child_process';
import { realpathSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import type Docker from 'dockerode';
import { docker, IMAGE, LABEL, uniqueName } from './docker.ts';
import { Receiver } from './receiver.ts';

const SOCKET = '/var/run/docker.sock';
const ROOT = join(import.meta.dirname, '../..');

/** What the image has to be given for Node to run: itself, and the libraries that it is linked with. */
function nodeBinds(): string[] {
  const linked = execFileSync('ldd', [process.execPath], { encoding: 'utf8' });
  const libraries = [...linked.matchAll(/(\/\S+) \(0x/g)].map(([, path = '']) => path);
  return [
    `${realpathSync(process.execPath)}:/bin/node:ro`,
    ...libraries.map((path) => `${realpathSync(path)}:${path}:ro`),
  ];
}

/** A network of the test's own, and a receiver that its containers reach. */
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

export interface SidecarOptions {
  readonly name?: string;
  readonly labels?: Record<string, string>;
  readonly variables: Record<string, string>;
  /** Whether it has the daemon's socket. */
  readonly socket: boolean;
  /** CgroupnsMode is not known to the type declarations. */
  readonly host: Docker.HostConfig & { readonly CgroupnsMode?: 'private' | 'host' };
  readonly command?: readonly string[];
}

/** Starts it; removed when the test ends. */
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
      Binds: [
        ...nodeBinds(),
        `${ROOT}:/portlight:ro`,
        ...(options.socket ? [`${socket}:${SOCKET}`] : []),
        ...Binds,
      ],
    },
  });
  t.teardown(async () => {
    if (!t.passed) t.log(await outputOf(container));
    await container.remove({ force: true, v: true });
  });
  await container.start();
  return container;
}

interface Output {
  readonly stdout: string;
  readonly stderr: string;
}

/** The text in frames of a container's output: which stream, three bytes, four for the length. */
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

/** What a container has written. */
export async function outputOf(container: Docker.Container): Promise<Output> {
  const options = { stdout: true, stderr: true, follow: false } as const;
  return outputIn((await container.logs(options)) as unknown as Buffer);
}

/** Waits for its end. */
export async function ended(container: Docker.Container): Promise<Output & { readonly code: number }> {
  const { StatusCode: code } = (await container.wait()) as { StatusCode: number };
  return { code, ...(await outputOf(container)) };
}

/** Runs a command of the agent's beside it, as `docker exec` does. */
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

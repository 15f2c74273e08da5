/** A Docker daemon for one test, ended with it. */
import type { ExecutionContext } from 'ava';
import type Docker from 'dockerode';
import {
  clientOf,
  type DockerdOptions,
  type PrivateDockerd,
  startDockerd,
} from '../../agent/setup/dockerd.ts';
import { importBusybox } from '../../agent/setup/images.ts';
import { IMAGE } from './docker.ts';
import { temporaryDirectory } from './temporary.ts';

export interface OwnDaemon {
  readonly host: string;
  readonly docker: Docker;
  /** Process id. It changes with each restart. */
  readonly pid: number;
  signal(signal: NodeJS.Signals): void;
  /** Ends the daemon's process like a fault does, and starts another one. */
  restart(signal: NodeJS.Signals, whileAway?: () => Promise<void>): Promise<void>;
}

/** @param options by default, the daemon has its own network */
export async function ownDaemon(
  t: ExecutionContext,
  options: Partial<DockerdOptions> = {},
): Promise<OwnDaemon> {
  const directory = options.directory ?? temporaryDirectory(t);
  const start = () => startDockerd({ ownNetwork: true, ...options, directory });
  let dockerd: PrivateDockerd = await start();
  t.teardown(() => dockerd.stop());
  const docker = clientOf(dockerd.host);
  const [repository = '', tag = ''] = IMAGE.split(':');
  await importBusybox(docker, repository, tag);
  return {
    host: dockerd.host,
    docker,
    get pid() {
      return dockerd.pid;
    },
    signal: (signal) => dockerd.kill(signal),
    async restart(signal, whileAway) {
      await dockerd.end(signal);
      await whileAway?.();
      dockerd = await start();
    },
  };
}

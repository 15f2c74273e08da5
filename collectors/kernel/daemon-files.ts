/**
 * Reads the Docker daemon's files about each container, where its directory of containers is mounted. They contain what
 * the Engine API returns, and the log. They also contain the container's environment, which is never read out.
 */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { ContainerInspectInfo } from 'dockerode';

/** Below the / of the daemon's host. With another `data-root`, mount its directory of containers here. */
export const CONTAINERS_DIRECTORY = '/var/lib/docker/containers';

/** The fields of config.v2.json that are read. */
interface DaemonConfig {
  readonly ID: string;
  readonly Name: string;
  readonly Created: string;
  readonly Image: string;
  readonly Config: ContainerInspectInfo['Config'];
  readonly State: Omit<ContainerInspectInfo['State'], 'Status'> & { readonly RemovalInProgress?: boolean };
  readonly NetworkSettings: ContainerInspectInfo['NetworkSettings'];
  readonly RestartCount: number;
  readonly MountPoints: Readonly<
    Record<
      string,
      { readonly Type: string; readonly Source: string; readonly Destination: string; readonly RW: boolean }
    >
  > | null;
}

/** `State.Status`, as the daemon derives it from the other fields. */
function statusOf({
  Running,
  Paused,
  Restarting,
  Dead,
  StartedAt,
  RemovalInProgress,
}: DaemonConfig['State']): string {
  if (Running) return Paused ? 'paused' : Restarting ? 'restarting' : 'running';
  if (RemovalInProgress) return 'removing';
  if (Dead) return 'dead';
  return StartedAt.startsWith('0001-') ? 'created' : 'exited';
}

export class DaemonFiles {
  private readonly directory: string;

  /** @param rootfs where the / of the daemon's host is mounted */
  constructor(rootfs: string) {
    this.directory = join(rootfs, CONTAINERS_DIRECTORY);
  }

  /** Whether the directory exists and can be read. */
  get isReadable(): boolean {
    try {
      readdirSync(this.directory);
      return true;
    } catch {
      return false;
    }
  }

  /** Whether the container exists, running or not. */
  has(id: string): boolean {
    return existsSync(join(this.directory, id));
  }

  /** When the daemon last wrote the container's file, ms since the epoch; 0 if unknown. */
  writtenAt(id: string): number {
    try {
      return statSync(join(this.directory, id, 'config.v2.json')).mtimeMs;
    } catch {
      return 0;
    }
  }

  /** The container as the Engine API would describe it; undefined if it does not exist or cannot be read. */
  inspect(id: string): ContainerInspectInfo | undefined {
    try {
      return this.read(id);
    } catch {
      return undefined;
    }
  }

  private read(id: string): ContainerInspectInfo {
    const read = (file: string) => JSON.parse(readFileSync(join(this.directory, id, file), 'utf8'));
    const written = read('config.v2.json') as DaemonConfig;
    const host = read('hostconfig.json') as ContainerInspectInfo['HostConfig'];
    const { Name, Created, Image, Config, State, NetworkSettings, RestartCount, MountPoints } = written;
    return {
      Id: id,
      Name,
      Created,
      Image,
      Config,
      State: { ...State, Status: statusOf(State) },
      NetworkSettings,
      RestartCount,
      // The path here, whatever the daemon's data root is.
      LogPath: join(CONTAINERS_DIRECTORY, id, `${id}-json.log`),
      HostConfig: host,
      Mounts: Object.values(MountPoints ?? {}).map(({ Type, Source, Destination, RW }) => ({
        Type,
        Source,
        Destination,
        RW,
      })),
    } as unknown as ContainerInspectInfo;
  }
}

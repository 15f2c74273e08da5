/**
 * What the Docker daemon writes down of each container, where its directory of containers is mounted: the same
 * that it tells of it, and its log. The files hold the container's environment too, of which nothing is taken.
 */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { ContainerInspectInfo } from 'dockerode';

/** Below the / of the daemon's host; one whose `data-root` is another has it mounted there. */
export const CONTAINERS = '/var/lib/docker/containers';

/** config.v2.json, as far as it is read. */
interface Written {
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

/** As the daemon derives it from the same. */
function statusOf({
  Running,
  Paused,
  Restarting,
  Dead,
  StartedAt,
  RemovalInProgress,
}: Written['State']): string {
  if (Running) return Paused ? 'paused' : Restarting ? 'restarting' : 'running';
  if (RemovalInProgress) return 'removing';
  if (Dead) return 'dead';
  return StartedAt.startsWith('0001-') ? 'created' : 'exited';
}

export class DaemonFiles {
  private readonly directory: string;

  /** @param rootfs where the / of the daemon's host is */
  constructor(rootfs: string) {
    this.directory = join(rootfs, CONTAINERS);
  }

  /** Whether the directory is there and may be read. */
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

  /** When the daemon last wrote something down of it, ms since the epoch; 0 where that cannot be seen. */
  writtenAt(id: string): number {
    try {
      return statSync(join(this.directory, id, 'config.v2.json')).mtimeMs;
    } catch {
      return 0;
    }
  }

  /** The container as the daemon would describe it; undefined where it does not exist, or may not be read. */
  inspect(id: string): ContainerInspectInfo | undefined {
    try {
      return this.read(id);
    } catch {
      return undefined;
    }
  }

  private read(id: string): ContainerInspectInfo {
    const read = (file: string) => JSON.parse(readFileSync(join(this.directory, id, file), 'utf8'));
    const written = read('config.v2.json') as Written;
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
      // Where we see it, wherever the daemon's own data root is.
      LogPath: join(CONTAINERS, id, `${id}-json.log`),
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

/** `portlight info`: information about the daemon and its host. */
import type { Command } from 'commander';
import { formatBytes } from '../../exporters/console/format.ts';
import type { Agent, Containers, Host, Images } from '../../exporters/dashboard/api.ts';
import type { AgentClient } from '../views/watch/agent-client.ts';
import { type Daemon, daemonOrAgent } from '../views/watch/daemon.ts';
import { loadCommandConfig } from './config-flags.ts';
import { printAs, printTable } from './output.ts';
import { withProgress } from './progress.ts';

/** The JSON form; unknown values are absent. */
type Facts = Readonly<Record<string, unknown>> & { readonly memory?: number };

/** Response of GET /info; dockerode's type declarations lack some of the fields. */
interface Info {
  readonly Name: string;
  readonly OperatingSystem: string;
  readonly KernelVersion: string;
  readonly Architecture: string;
  readonly NCPU: number;
  readonly MemTotal: number;
  readonly Driver: string;
  readonly LoggingDriver: string;
  readonly CgroupDriver: string;
  readonly CgroupVersion?: string;
  readonly DockerRootDir: string;
  readonly SecurityOptions?: readonly string[] | null;
  readonly LiveRestoreEnabled?: boolean;
  readonly Containers: number;
  readonly ContainersRunning: number;
  readonly ContainersPaused: number;
  readonly ContainersStopped: number;
  readonly Images: number;
  readonly Warnings?: readonly string[] | null;
  readonly Swarm?: {
    readonly LocalNodeState: string;
    readonly NodeID: string;
    readonly ControlAvailable: boolean;
  };
}

async function fromDaemon({ docker, endpoint, request }: Daemon): Promise<Facts> {
  const [version, given, volumes, networks] = await withProgress(
    () => `reading information from ${endpoint.host}`,
    request(Promise.all([docker.version(), docker.info(), docker.listVolumes(), docker.listNetworks()])),
  );
  const info = given as Info;
  const swarm = info.Swarm?.LocalNodeState ?? 'inactive';
  return {
    endpoint: endpoint.host,
    engine: version.Components?.[0]?.Name ?? 'Engine',
    version: version.Version,
    api_version: version.ApiVersion,
    host: info.Name,
    operating_system: info.OperatingSystem,
    kernel: info.KernelVersion,
    architecture: info.Architecture,
    cpus: info.NCPU,
    memory: info.MemTotal,
    storage_driver: info.Driver,
    log_driver: info.LoggingDriver,
    cgroup: `version ${info.CgroupVersion ?? 1}, driver ${info.CgroupDriver}`,
    data: info.DockerRootDir,
    security: (info.SecurityOptions ?? []).map((option) => option.replace(/^name=/, '')),
    live_restore: info.LiveRestoreEnabled ?? false,
    containers: info.Containers,
    containers_running: info.ContainersRunning,
    containers_paused: info.ContainersPaused,
    containers_stopped: info.ContainersStopped,
    images: info.Images,
    volumes: volumes.Volumes?.length ?? 0,
    networks: networks.length,
    swarm,
    ...(swarm === 'active'
      ? { swarm_node: info.Swarm!.NodeID, swarm_role: info.Swarm!.ControlAvailable ? 'manager' : 'worker' }
      : {}),
    warnings: info.Warnings ?? [],
  };
}

/** The agent's data on the host and its daemon. */
async function fromAgent(agent: AgentClient): Promise<Facts> {
  const [{ attributes, figures }, { status }, { containers }, { images }] = await Promise.all([
    agent.get<Host>('/api/host'),
    agent.get<Agent>('/api/agent'),
    agent.get<Containers>('/api/containers'),
    agent.get<Images>('/api/images'),
  ]);
  const count = (wanted: string) => containers.filter((each) => each.status === wanted).length;
  const existing = containers.length - count('removed');
  return {
    endpoint: status.daemons[0]?.host,
    host: attributes['host.name'],
    operating_system: [attributes['os.name'], attributes['os.version']].filter(Boolean).join(' '),
    kernel: attributes['os.description']?.replace(/^Linux /, ''),
    architecture: attributes['host.arch'],
    cpus: figures?.cpus ?? undefined,
    memory: figures?.memoryTotal ?? undefined,
    containers: existing,
    containers_running: count('running'),
    containers_paused: count('paused'),
    containers_stopped: existing - count('running') - count('paused'),
    images: images.length,
  };
}

export async function printInfo({ output }: { output: string }, command: Command): Promise<void> {
  const { config } = await loadCommandConfig(command);
  const facts = await daemonOrAgent(config, fromDaemon, fromAgent);
  await printAs(output, facts, () => show({ ...facts, memory: formatBytes(facts.memory) }));
}

function show(facts: object): void {
  const rows = Object.entries(facts)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => [
      key.replaceAll('_', ' '),
      Array.isArray(value) ? value.join(', ') || '-' : String(value),
    ]);
  printTable({ head: ['PROPERTY', 'VALUE'], rows });
}

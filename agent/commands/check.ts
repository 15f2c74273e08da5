/** `portlight check`: whether the agent can work here, and what it would have to do without. */
import { accessSync, constants, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Command } from 'commander';
import type Docker from 'dockerode';
import type { ContainerInspectInfo } from 'dockerode';
import { parseMembership, readHierarchies } from '../../collectors/cgroup/locate.ts';
import { connect, inspectRunning, NEWEST_API, OLDEST_API, outdated } from '../../collectors/docker/client.ts';
import { findEndpoint, isLocal, isNone } from '../../collectors/docker/endpoint.ts';
import { fromInspect } from '../../collectors/docker/identity.ts';
import { sourceOf } from '../../collectors/logs/source.ts';
import { readNamespaces } from '../../collectors/namespaces/read.ts';
import { destinationsOf, signalOf, type Target } from '../../config/destinations.ts';
import { withoutSecrets } from '../../config/mistake.ts';
import { GENERAL } from '../../config/receiver.ts';
import type { Config } from '../../config/schema.ts';
import { table } from '../../exporters/console/table.ts';
import { createTransport } from '../../exporters/otlp/transport.ts';
import { mainEndpoint } from '../endpoints.ts';
import { readLayout } from '../layout.ts';
import { tryAddress } from '../server/index.ts';
import { messageOf } from '../telemetry.ts';
import { checkKernel } from './check-kernel.ts';
import { daemonOf, unanswered } from './daemon.ts';
import { configOf } from './options.ts';
import { paint, print, printAs } from './output.ts';
import { withProgress } from './progress.ts';

/** `warn`: the agent works and does without something; `fail`: it does not do what it was told to. */
type Status = 'ok' | 'warn' | 'fail';

export interface Finding {
  readonly check: string;
  readonly status: Status;
  readonly found: string;
}

const CONTROLLERS = ['cpu', 'cpuacct', 'memory', 'pids', 'blkio', 'io'];

const finding = (check: string, status: Status, found: string): Finding => ({ check, status, found });

async function checkDaemon(config: Config): Promise<{ findings: Finding[]; docker?: Docker }> {
  const endpoint = findEndpoint(config.docker_host);
  try {
    const docker = connect(endpoint);
    const [version, info] = await Promise.all([docker.version(), docker.info()]);
    const old = outdated(version.ApiVersion);
    return {
      docker,
      findings: [
        finding('docker daemon', 'ok', `${version.Version} at ${endpoint.host} (${endpoint.origin})`),
        old === undefined
          ? finding('engine API', 'ok', `${version.ApiVersion}; ${OLDEST_API} to ${NEWEST_API} are spoken`)
          : finding('engine API', 'warn', old),
        finding('cgroup', 'ok', `version ${info.CgroupVersion ?? 1}, driver ${info.CgroupDriver}`),
      ],
    };
  } catch (error) {
    return {
      findings: [finding('docker daemon', 'fail', unanswered(endpoint, error))],
    };
  }
}

function checkCgroups({ procfs }: Config): Finding {
  try {
    const hierarchies = readHierarchies(procfs);
    const mounted = CONTROLLERS.filter((controller) => hierarchies.v1.has(controller));
    if (mounted.length > 0) {
      const missing = ['cpuacct', 'memory', 'pids'].filter((controller) => !hierarchies.v1.has(controller));
      const tail =
        missing.length > 0 && hierarchies.v2 === undefined
          ? `; without ${missing.join(', ')} their metrics are absent`
          : '';
      return finding(
        'cgroup files',
        tail === '' ? 'ok' : 'warn',
        `v1 controllers ${mounted.join(', ')}${tail}`,
      );
    }
    if (hierarchies.v2 !== undefined) {
      const controllers = readFileSync(join(hierarchies.v2.point, 'cgroup.controllers'), 'utf8').trim();
      return finding('cgroup files', 'ok', `v2 at ${hierarchies.v2.point}, controllers ${controllers}`);
    }
    return finding(
      'cgroup files',
      'warn',
      `no cgroup file system is mounted here: no CPU and memory metrics`,
    );
  } catch (error) {
    return finding('cgroup files', 'warn', `${messageOf(error)}: no CPU and memory metrics`);
  }
}

function checkProcess(procfs: string, pid: number): Finding[] {
  const directory = join(procfs, String(pid));
  const findings: Finding[] = [];
  try {
    const path = [...parseMembership(readFileSync(join(directory, 'cgroup'), 'utf8')).values()][0];
    findings.push(finding('container processes', 'ok', `visible in ${procfs}, for example ${path}`));
  } catch (error) {
    const cost = `no metrics and namespaces; mount the host's /proc and name it with --procfs`;
    return [finding('container processes', 'warn', `${messageOf(error)}: ${cost}`)];
  }
  try {
    const hostUnknown = Object.values(readNamespaces(procfs, pid)).some(({ host }) => host === undefined);
    findings.push(
      hostUnknown
        ? finding(
            'namespaces',
            'warn',
            "the host's own cannot be read: which containers use them is not told",
          )
        : finding('namespaces', 'ok', 'readable'),
    );
  } catch (error) {
    findings.push(
      finding('namespaces', 'warn', `${messageOf(error)}: no namespaces; run as root or with CAP_SYS_PTRACE`),
    );
  }
  return findings;
}

function checkProcesses({ procfs }: Config, running: readonly ContainerInspectInfo[]): Finding[] {
  const pids = running.map(({ State }) => State.Pid);
  if (pids.length === 0) return [finding('container processes', 'ok', 'no container runs: not tried')];
  const all = pids.map((pid) => checkProcess(procfs, pid));
  return all.find((findings) => findings.every(({ status }) => status === 'ok')) ?? all[0]!;
}

/** Where the logs of the running containers are read, and why not in their files. */
function checkLogs({ rootfs, docker_host }: Config, running: readonly ContainerInspectInfo[]): Finding {
  const root = isLocal(findEndpoint(docker_host)) ? rootfs : undefined;
  const containers = running.map((inspect) => fromInspect(inspect, undefined, {}));
  const reasons = new Map<string, string[]>();
  let files = 0;
  for (const container of containers) {
    const source = sourceOf(container, root);
    if (source.kind === 'file') files++;
    else reasons.set(source.why, [...(reasons.get(source.why) ?? []), container.name]);
  }
  const api = [...reasons].map(([why, names]) => `${names.join(', ')} (${why})`);
  const found = [
    ...(files > 0 ? [`${files} read from files`] : []),
    ...(api.length > 0 ? [`through the API: ${api.join('; ')}`] : []),
  ];
  return finding('container logs', 'ok', found.join('; ') || 'no container runs: not tried');
}

async function checkScope(config: Config): Promise<Finding> {
  try {
    const running = await daemonOf(config).running();
    const names = running.map(({ Name }) => Name.replace(/^\//, '')).join(', ');
    return finding('scope', 'ok', `${config.scope}: ${names || 'no container runs'}`);
  } catch (error) {
    return finding('scope', 'fail', messageOf(error));
  }
}

function checkDataDirectory({ data_dir }: Config): Finding {
  let existing = data_dir;
  for (;;) {
    try {
      accessSync(existing, constants.W_OK);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT' && dirname(existing) !== existing) {
        existing = dirname(existing);
        continue;
      }
      return finding(
        'data directory',
        'warn',
        `${data_dir}: ${messageOf(error)}: positions are lost at each restart`,
      );
    }
    try {
      readLayout(data_dir);
      return finding('data directory', 'ok', data_dir);
    } catch (error) {
      return finding('data directory', 'fail', messageOf(error).replace(/^data_dir: /, ''));
    }
  }
}

async function checkListen({ listen: address }: Config): Promise<Finding> {
  const shown = `${address.host}:${address.port}`;
  try {
    await tryAddress(address);
    return finding('listen', 'ok', `${shown} is free`);
  } catch (error) {
    const isTaken = (error as NodeJS.ErrnoException).code === 'EADDRINUSE';
    return finding(
      'listen',
      'warn',
      isTaken ? `${shown} is in use, by a running agent perhaps` : `${shown}: ${messageOf(error)}`,
    );
  }
}

/** An empty request is valid OTLP: whatever answers it as such is a receiver. */
async function checkReceiver(destination: string, target: Target): Promise<Finding> {
  const { signal, protocol, url } = target;
  const name = destination === GENERAL ? `receiver of ${signal}` : `${destination}, receiver of ${signal}`;
  try {
    const transport = await createTransport(target);
    const verdict = await transport.send(Buffer.alloc(0));
    transport.close();
    const shown = String(withoutSecrets(url.href));
    if (verdict.kind === 'accepted') return finding(name, 'ok', `${shown} takes ${protocol}`);
    const isToWait = verdict.kind === 'retry' || verdict.kind === 'away';
    return finding(
      name,
      'fail',
      `${shown}: ${verdict.message}${isToWait ? '; records would wait for it' : ''}`,
    );
  } catch (error) {
    return finding(name, 'fail', messageOf(error));
  }
}

/** @param begins told of each thing that is looked at, before it is */
async function examine(config: Config, begins: (what: string) => void): Promise<Finding[]> {
  begins('the daemon');
  const { findings, docker } = isNone(mainEndpoint(config))
    ? { findings: checkKernel(config) }
    : await checkDaemon(config);
  findings.push(checkCgroups(config));
  if (docker !== undefined) {
    begins('its containers');
    if (config.scope !== 'host') findings.push(await checkScope(config));
    const running = await inspectRunning(docker);
    findings.push(...checkProcesses(config, running), checkLogs(config, running));
  }
  findings.push(checkDataDirectory(config), await checkListen(config));
  for (const { name, targets, kinds } of destinationsOf(config)) {
    begins(`the receivers of ${name}`);
    const signals = new Set(kinds.map(signalOf));
    for (const signal of signals) findings.push(await checkReceiver(name, targets[signal]!));
  }
  return findings;
}

export async function check({ output }: { output: string }, command: Command): Promise<void> {
  const { config } = await configOf(command);
  let what = '';
  const examined = examine(config, (begun) => {
    what = begun;
  });
  const findings = await withProgress(() => `looking at ${what}`, examined);
  await printAs(output, findings, () => {
    const rows = findings.map(({ check: name, status, found }) => [status.toUpperCase(), name, found]);
    // What was found is why it is asked for: nothing of it is cut.
    const [head = '', ...lines] = table(['STATUS', 'CHECK', 'FOUND'], rows);
    const styles = { ok: 'green', warn: 'yellow', fail: 'red' } as const;
    const painted = findings.map(({ status }, index) =>
      lines[index]!.replace(/^\w+/, (word) => paint(styles[status], word)),
    );
    print([paint('dim', head), ...painted].join('\n'));
  });
  // Sockets of the receiver's check may linger.
  process.exit(findings.some(({ status }) => status === 'fail') ? 1 : 0);
}

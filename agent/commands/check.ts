/** `portlight check`: whether the agent can work here, and what it would have to do without. */
import { accessSync, constants, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Command } from 'commander';
import type Docker from 'dockerode';
import type { ContainerInspectInfo } from 'dockerode';
import { readHierarchies } from '../../collectors/cgroup/locate.ts';
import { connect, inspectRunning, NEWEST_API, OLDEST_API, outdated } from '../../collectors/docker/client.ts';
import { type Endpoint, isLocal, isNone } from '../../collectors/docker/endpoint.ts';
import { type DaemonInfo, isThisHost } from '../../collectors/docker/host.ts';
import { fromInspect } from '../../collectors/docker/identity.ts';
import { Refused, type Request, requests } from '../../collectors/docker/requests.ts';
import { sourceOf } from '../../collectors/logs/source.ts';
import { destinationsOf, signalOf, type Target } from '../../config/destinations.ts';
import { withoutSecrets } from '../../config/mistake.ts';
import { GENERAL } from '../../config/receiver.ts';
import type { Config } from '../../config/schema.ts';
import { table } from '../../exporters/console/table.ts';
import { createTransport } from '../../exporters/otlp/transport.ts';
import { abilities, LOG_FILES, lacksOf, surroundingsOf } from '../abilities.ts';
import { endpointsOf } from '../endpoints.ts';
import { readLayout } from '../layout.ts';
import type { Container, Metric } from '../records.ts';
import { selectMetrics } from '../selection.ts';
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

const NOT_TRIED = 'no container runs: not tried';

const finding = (check: string, status: Status, found: string): Finding => ({ check, status, found });

/** @returns `isHere` whether it runs on this host */
async function checkDaemon(
  { procfs, rootfs }: Config,
  endpoint: Endpoint,
): Promise<{ findings: Finding[]; docker?: Docker; isHere: boolean }> {
  try {
    const docker = connect(endpoint);
    const [version, info] = await Promise.all([
      docker.version(),
      docker.info().catch((error) => {
        if (error instanceof Refused) return undefined;
        throw error;
      }),
    ]);
    const old = outdated(version.ApiVersion);
    return {
      docker,
      isHere: isLocal(endpoint) || (info !== undefined && isThisHost(info as DaemonInfo, procfs, rootfs)),
      findings: [
        finding('docker daemon', 'ok', `${version.Version} at ${endpoint.host} (${endpoint.origin})`),
        old === undefined
          ? finding('engine API', 'ok', `${version.ApiVersion}; ${OLDEST_API} to ${NEWEST_API} are spoken`)
          : finding('engine API', 'warn', old),
        ...(info === undefined
          ? []
          : [finding('cgroup', 'ok', `version ${info.CgroupVersion ?? 1}, driver ${info.CgroupDriver}`)]),
      ],
    };
  } catch (error) {
    return {
      findings: [finding('docker daemon', 'fail', unanswered(endpoint, error))],
      isHere: false,
    };
  }
}

/** How long a request may take that is not refused: what answers later does answer. */
const REFUSED_WITHIN_MS = 1000;

/** Whether a request is refused; what it is about need not exist for that. */
function isRefused(docker: Docker, { path, query }: Request): Promise<boolean> {
  return new Promise((resolve) => {
    const abortSignal = AbortSignal.timeout(REFUSED_WITHIN_MS);
    const statusCodes = { 200: true };
    docker.modem.dial(
      {
        path: `${path.replace(/\{\w+\}/, 'portlight-check')}?${query ?? ''}&`,
        method: 'GET',
        isStream: true,
        statusCodes,
        abortSignal,
        options: {},
      } as never,
      (error, stream) => {
        (stream as NodeJS.ReadableStream & { destroy?: () => void })?.destroy?.();
        resolve(error instanceof Refused);
      },
    );
  });
}

/** Whether a proxy before the daemon, or the daemon, lets pass what the agent asks. */
async function checkRequests(docker: Docker): Promise<{ refused: Finding; isEnough: boolean }> {
  const answers = await Promise.all(requests.map((request) => isRefused(docker, request)));
  const refused = requests.filter((_, index) => answers[index]);
  const isEnough = refused.every(({ without }) => without !== undefined);
  const found = refused.map((request) => new Refused(request).message).join('; ');
  return {
    refused: finding(
      'engine API requests',
      refused.length === 0 ? 'ok' : isEnough ? 'warn' : 'fail',
      found || 'all are answered',
    ),
    isEnough,
  };
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

/** Where the logs of the running containers are read. */
function logsFound(containers: readonly Container[], rootfs: string | undefined): string {
  const reasons = new Map<string, string[]>();
  let files = 0;
  for (const container of containers) {
    const source = sourceOf(container, rootfs);
    if (source.kind === 'file') files++;
    else reasons.set(source.why, [...(reasons.get(source.why) ?? []), container.name]);
  }
  const api = [...reasons].map(([why, names]) => `${names.join(', ')} (${why})`);
  return [
    ...(files > 0 ? [`${files} read from files`] : []),
    ...(api.length > 0 ? [`through the API: ${api.join('; ')}`] : []),
  ].join('; ');
}

/** Tries on every running container what the agent does. */
function checkAbilities(
  config: Config,
  running: readonly ContainerInspectInfo[],
  isHere: boolean,
): Finding[] {
  const containers = running.map((inspect) => fromInspect(inspect, undefined, {}));
  const { procfs, rootfs } = config;
  const logs = logsFound(containers, isHere ? rootfs : undefined);
  if (!isHere) return [finding(LOG_FILES, 'ok', logs || NOT_TRIED)];
  const metrics = new Set<Metric>(selectMetrics(config.metrics.enable, config.metrics.disable));
  const surroundings = surroundingsOf(procfs, rootfs, metrics);
  const lacks = containers.flatMap((container) => lacksOf(container, surroundings));
  const wanted = abilities.filter(({ metric }) => metric === undefined || metrics.has(metric));
  return wanted.map((ability) => {
    const missing = lacks.filter((lack) => lack.ability === ability);
    if (missing.length === 0) {
      const what = ability.name === LOG_FILES ? logs : 'readable';
      return finding(ability.name, 'ok', containers.length === 0 ? NOT_TRIED : what);
    }
    return finding(
      ability.name,
      'warn',
      `of ${missing.length} of ${containers.length} containers cannot be read: ${missing[0]!.reason}: ${ability.without}; it takes ${ability.needs}`,
    );
  });
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

/** A daemon, what it lets us ask, and what can be seen of its containers. */
async function checkContainersOf(config: Config, endpoint: Endpoint): Promise<Finding[]> {
  const { findings, docker, isHere } = await checkDaemon(config, endpoint);
  if (docker === undefined) return findings;
  const { refused, isEnough } = await checkRequests(docker);
  findings.push(refused);
  if (isEnough && config.scope !== 'host') findings.push(await checkScope(config));
  if (isEnough) findings.push(...checkAbilities(config, await inspectRunning(docker), isHere));
  return findings;
}

/** @param begins told of each thing that is looked at, before it is */
async function examine(config: Config, begins: (what: string) => void): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const { name, endpoint } of endpointsOf(config)) {
    begins(name === undefined ? 'the daemon' : `the daemon ${name}`);
    const found = isNone(endpoint) ? checkKernel(config) : await checkContainersOf(config, endpoint);
    findings.push(
      ...(name === undefined ? found : found.map((one) => ({ ...one, check: `${name}: ${one.check}` }))),
    );
  }
  findings.push(checkCgroups(config));
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

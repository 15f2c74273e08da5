/** `portlight check` of a daemon: whether it answers, what it lets us ask, and what can be seen of its containers. */

import { setTimeout as sleep } from 'node:timers/promises';
import type Docker from 'dockerode';
import type { ContainerInspectInfo } from 'dockerode';
import { selectMetrics } from '../../collectors/catalogue/selection.ts';
import { infoOf, runsHere } from '../../collectors/docker/host.ts';
import {
  connectToDaemon,
  inspectRunningContainers,
  NEWEST_API,
  OLDEST_API,
  outdatedApiWarning,
} from '../../collectors/engine/client.ts';
import { type DaemonEndpoint, isLocal } from '../../collectors/engine/daemon-endpoint.ts';
import { type DaemonRequest, daemonRequests, RefusedError } from '../../collectors/engine/requests.ts';
import { fromInspect } from '../../collectors/lifecycle/identity.ts';
import { findLogSource } from '../../collectors/logs/source.ts';
import type { Container, Metric } from '../../collectors/records/records.ts';
import { compileContainerFilter } from '../../collectors/shared/container-filter.ts';
import { errorMessage } from '../../collectors/shared/error-message.ts';
import type { Config } from '../../config/schema.ts';
import { accessChecks, accessContext, failedAccessChecks, LOG_FILES } from '../targets/access-checks.ts';
import { daemonOf, unanswered } from '../views/watch/daemon.ts';
import { type CheckResult, checkResult } from './check-result.ts';

const NOT_TRIED = 'no container runs: not tried';

/** @returns `isHere` whether it runs on this host */
async function checkDaemon(
  config: Config,
  endpoint: DaemonEndpoint,
): Promise<{ findings: CheckResult[]; docker?: Docker; isHere: boolean }> {
  try {
    const docker = connectToDaemon(endpoint);
    const [version, info] = await Promise.all([docker.version(), infoOf(docker)]);
    const old = outdatedApiWarning(version.ApiVersion);
    return {
      docker,
      isHere: isLocal(endpoint) || (await runsHere(docker, info, config)),
      findings: [
        checkResult('docker daemon', 'ok', `${version.Version} at ${endpoint.host} (${endpoint.origin})`),
        old === undefined
          ? checkResult(
              'engine API',
              'ok',
              `${version.ApiVersion}; ${OLDEST_API} to ${NEWEST_API} are spoken`,
            )
          : checkResult('engine API', 'warn', old),
        ...(info === undefined
          ? []
          : [checkResult('cgroup', 'ok', `version ${info.CgroupVersion ?? 1}, driver ${info.CgroupDriver}`)]),
      ],
    };
  } catch (error) {
    return {
      findings: [checkResult('docker daemon', 'fail', unanswered(endpoint, error))],
      isHere: false,
    };
  }
}

/** How long a request may take that is not refused: what answers later does answer. */
const REFUSED_WITHIN_MS = 1000;

/** Whether a request is refused; what it is about need not exist for that. */
function isRefused(docker: Docker, { path, query }: DaemonRequest): Promise<boolean> {
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
        resolve(error instanceof RefusedError);
      },
    );
  });
}

/** Whether a proxy before the daemon, or the daemon, lets pass what the agent asks. */
async function checkRequests(docker: Docker): Promise<{ refused: CheckResult; isEnough: boolean }> {
  const answers = await Promise.all(daemonRequests.map((request) => isRefused(docker, request)));
  const refused = daemonRequests.filter((_, index) => answers[index]);
  const isEnough = refused.every(({ without }) => without !== undefined);
  const found = refused.map((request) => new RefusedError(request).message).join('; ');
  return {
    refused: checkResult(
      'engine API requests',
      refused.length === 0 ? 'ok' : isEnough ? 'warn' : 'fail',
      found || 'all are answered',
    ),
    isEnough,
  };
}

/** Where the logs of the running containers are read. */
function logsFound(containers: readonly Container[], rootfs: string | undefined): string {
  const reasons = new Map<string, string[]>();
  let files = 0;
  for (const container of containers) {
    const source = findLogSource(container, rootfs);
    if (source.kind === 'file') files++;
    else reasons.set(source.why, [...(reasons.get(source.why) ?? []), container.name]);
  }
  const api = [...reasons].map(([why, names]) => `${names.join(', ')} (${why})`);
  return [
    ...(files > 0 ? [`${files} read from files`] : []),
    ...(api.length > 0 ? [`through the API: ${api.join('; ')}`] : []),
  ].join('; ');
}

/** Within this the daemon knows of an end, ms. */
const ENDING_MS = 1000;

type InspectRunning = () => Promise<readonly ContainerInspectInfo[]>;

/** Tries on every running container what the agent does. @param ask for those that run */
async function checkAbilities(config: Config, ask: InspectRunning, isHere: boolean): Promise<CheckResult[]> {
  const isSelected = compileContainerFilter(config.containers.include, config.containers.exclude);
  const look = async () =>
    (await ask()).map((inspect) => fromInspect(inspect, undefined, {})).filter(isSelected);
  let containers = await look();
  const { procfs, rootfs } = config;
  const logs = logsFound(containers, isHere ? rootfs : undefined);
  if (!isHere) return [checkResult(LOG_FILES, 'ok', logs || NOT_TRIED)];
  const metrics = new Set<Metric>(selectMetrics(config.metrics.enable, config.metrics.disable));
  const surroundings = accessContext(procfs, rootfs, metrics);
  let lacking = containers.filter((container) => failedAccessChecks(container, surroundings).length > 0);
  if (lacking.length > 0) {
    // One that was just ending could not be looked at, and the daemon learns of its end a moment later.
    await sleep(ENDING_MS);
    const still = new Map((await look()).map(({ id, pid }) => [id, pid]));
    const runs = ({ id, pid }: Container) => still.get(id) === pid;
    containers = containers.filter(runs);
    lacking = lacking.filter(runs);
  }
  const lacks = lacking.flatMap((container) => failedAccessChecks(container, surroundings));
  const wanted = accessChecks.filter(({ metric }) => metric === undefined || metrics.has(metric));
  return wanted.map((ability) => {
    const missing = lacks.filter((lack) => lack.check === ability);
    if (missing.length === 0) {
      const what = ability.name === LOG_FILES ? logs : 'readable';
      return checkResult(ability.name, 'ok', containers.length === 0 ? NOT_TRIED : what);
    }
    return checkResult(
      ability.name,
      'warn',
      `of ${missing.length} of ${containers.length} containers cannot be read: ${missing[0]!.reason}: ${ability.consequence}; it takes ${ability.requires}`,
    );
  });
}

/** Of a scope that is not all of the host. */
async function checkScope(config: Config, isHere: boolean): Promise<CheckResult[]> {
  try {
    const { running: ask } = daemonOf(config);
    const running = await ask();
    const names = running.map(({ Name }) => Name.replace(/^\//, '')).join(', ');
    return [
      checkResult('scope', 'ok', `${config.scope}: ${names || 'no container runs'}`),
      ...(await checkAbilities(config, ask, isHere)),
    ];
  } catch (error) {
    return [checkResult('scope', 'fail', errorMessage(error))];
  }
}

/** A daemon, what it lets us ask, and what can be seen of its containers. */
export async function checkContainersOf(config: Config, endpoint: DaemonEndpoint): Promise<CheckResult[]> {
  const { findings, docker, isHere } = await checkDaemon(config, endpoint);
  if (docker === undefined) return findings;
  const { refused, isEnough } = await checkRequests(docker);
  findings.push(refused);
  if (!isEnough) return findings;
  const seen =
    config.scope === 'host'
      ? await checkAbilities(config, () => inspectRunningContainers(docker), isHere)
      : await checkScope(config, isHere);
  return [...findings, ...seen];
}

/** `portlight check` of a daemon: its connection, the requests it allows, and the access to its containers. */

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
import { daemonOf, unavailableMessage } from '../views/watch/daemon.ts';
import { type CheckResult, checkResult } from './check-result.ts';

const NOT_CHECKED = 'not checked: no running container';

/** @returns `isHere`: whether the daemon runs on this host */
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
              `${version.ApiVersion} (supported: ${OLDEST_API} to ${NEWEST_API})`,
            )
          : checkResult('engine API', 'warn', old),
        ...(info === undefined
          ? []
          : [checkResult('cgroup', 'ok', `version ${info.CgroupVersion ?? 1}, driver ${info.CgroupDriver}`)]),
      ],
    };
  } catch (error) {
    return {
      findings: [checkResult('docker daemon', 'fail', unavailableMessage(endpoint, error))],
      isHere: false,
    };
  }
}

/** Refusals are immediate: a request without an answer by then is allowed. */
const REFUSAL_TIMEOUT_MS = 1000;

/** Whether a request is refused. Its object need not exist. */
function isRefused(docker: Docker, { path, query }: DaemonRequest): Promise<boolean> {
  return new Promise((resolve) => {
    const abortSignal = AbortSignal.timeout(REFUSAL_TIMEOUT_MS);
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

/** Whether the daemon, or a proxy in front of it, allows the agent's requests. */
async function checkRequests(docker: Docker): Promise<{ refused: CheckResult; isEnough: boolean }> {
  const answers = await Promise.all(daemonRequests.map((request) => isRefused(docker, request)));
  const refused = daemonRequests.filter((_, index) => answers[index]);
  const isEnough = refused.every(({ without }) => without !== undefined);
  const found = refused.map((request) => new RefusedError(request).message).join('; ');
  return {
    refused: checkResult(
      'engine API requests',
      refused.length === 0 ? 'ok' : isEnough ? 'warn' : 'fail',
      found || 'all allowed',
    ),
    isEnough,
  };
}

/** How the logs of the running containers are read. */
function describeLogSources(containers: readonly Container[], rootfs: string | undefined): string {
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
    ...(api.length > 0 ? [`read through the API: ${api.join('; ')}`] : []),
  ].join('; ');
}

/** The daemon reports a container's end within this time, ms. */
const EXIT_DELAY_MS = 1000;

type InspectRunning = () => Promise<readonly ContainerInspectInfo[]>;

/** Runs the access checks for every running container. @param inspectRunning inspects the running containers */
async function checkAccess(
  config: Config,
  inspectRunning: InspectRunning,
  isHere: boolean,
): Promise<CheckResult[]> {
  const isSelected = compileContainerFilter(config.containers.include, config.containers.exclude);
  const listContainers = async () =>
    (await inspectRunning()).map((inspect) => fromInspect(inspect, undefined, {})).filter(isSelected);
  let containers = await listContainers();
  const { procfs, rootfs } = config;
  const logs = describeLogSources(containers, isHere ? rootfs : undefined);
  if (!isHere) return [checkResult(LOG_FILES, 'ok', logs || NOT_CHECKED)];
  const metrics = new Set<Metric>(selectMetrics(config.metrics.enable, config.metrics.disable));
  const surroundings = accessContext(procfs, rootfs, metrics);
  let denied = containers.filter((container) => failedAccessChecks(container, surroundings).length > 0);
  if (denied.length > 0) {
    // The processes of an exiting container cannot be read; the daemon reports its end a moment later.
    await sleep(EXIT_DELAY_MS);
    const still = new Map((await listContainers()).map(({ id, pid }) => [id, pid]));
    const isRunning = ({ id, pid }: Container) => still.get(id) === pid;
    containers = containers.filter(isRunning);
    denied = denied.filter(isRunning);
  }
  const failures = denied.flatMap((container) => failedAccessChecks(container, surroundings));
  const checks = accessChecks.filter(({ metric }) => metric === undefined || metrics.has(metric));
  return checks.map((check) => {
    const failed = failures.filter((failure) => failure.check === check);
    if (failed.length === 0) {
      const found = check.name === LOG_FILES ? logs : 'readable';
      return checkResult(check.name, 'ok', containers.length === 0 ? NOT_CHECKED : found);
    }
    return checkResult(
      check.name,
      'warn',
      `not readable for ${failed.length} of ${containers.length} containers (${failed[0]!.reason}): ${check.consequence}. Requires ${check.requires}`,
    );
  });
}

/** For a scope other than the whole host. */
async function checkScope(config: Config, isHere: boolean): Promise<CheckResult[]> {
  try {
    const { runningContainers } = daemonOf(config);
    const running = await runningContainers();
    const names = running.map(({ Name }) => Name.replace(/^\//, '')).join(', ');
    return [
      checkResult('scope', 'ok', `${config.scope}: ${names || 'no running container'}`),
      ...(await checkAccess(config, runningContainers, isHere)),
    ];
  } catch (error) {
    return [checkResult('scope', 'fail', errorMessage(error))];
  }
}

/** Checks a daemon, the requests it allows, and the access to its containers. */
export async function checkContainersOf(config: Config, endpoint: DaemonEndpoint): Promise<CheckResult[]> {
  const { findings, docker, isHere } = await checkDaemon(config, endpoint);
  if (docker === undefined) return findings;
  const { refused, isEnough } = await checkRequests(docker);
  findings.push(refused);
  if (!isEnough) return findings;
  const access =
    config.scope === 'host'
      ? await checkAccess(config, () => inspectRunningContainers(docker), isHere)
      : await checkScope(config, isHere);
  return [...findings, ...access];
}

/** `portlight check`: whether the agent can work here, and which data would be missing. */

import { accessSync, constants, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Command } from 'commander';
import { isNoDaemon } from '../../collectors/engine/daemon-endpoint.ts';
import { readHierarchies } from '../../collectors/shared/cgroup-location.ts';
import { errorMessage } from '../../collectors/shared/error-message.ts';
import { resolveDestinations, type SignalEndpoint, signalOfKind } from '../../config/destinations.ts';
import { maskSecrets } from '../../config/mask-secrets.ts';
import { MAIN_DESTINATION } from '../../config/receiver-options.ts';
import type { Config } from '../../config/schema.ts';
import { formatTable } from '../../exporters/console/table.ts';
import { createTransport } from '../../exporters/otlp/transport.ts';
import { checkAddress } from '../../exporters/server/index.ts';
import { readLayout } from '../process/layout.ts';
import { configuredEndpoints } from '../targets/endpoints.ts';
import { checkContainersOf } from './check-daemon.ts';
import { checkKernel } from './check-kernel.ts';
import { type CheckResult, checkResult } from './check-result.ts';
import { loadCommandConfig } from './config-flags.ts';
import { paint, print, printAs } from './output.ts';
import { withProgress } from './progress.ts';

const CONTROLLERS = ['cpu', 'cpuacct', 'memory', 'pids', 'blkio', 'io'];

function checkCgroups({ procfs }: Config): CheckResult {
  try {
    const hierarchies = readHierarchies(procfs);
    const mounted = CONTROLLERS.filter((controller) => hierarchies.v1.has(controller));
    if (mounted.length > 0) {
      const missing = ['cpuacct', 'memory', 'pids'].filter((controller) => !hierarchies.v1.has(controller));
      const tail =
        missing.length > 0 && hierarchies.v2 === undefined
          ? `; ${missing.join(', ')} missing, and their metrics too`
          : '';
      return checkResult(
        'cgroup files',
        tail === '' ? 'ok' : 'warn',
        `v1 controllers ${mounted.join(', ')}${tail}`,
      );
    }
    if (hierarchies.v2 !== undefined) {
      const controllers = readFileSync(join(hierarchies.v2.point, 'cgroup.controllers'), 'utf8').trim();
      return checkResult('cgroup files', 'ok', `v2 at ${hierarchies.v2.point}, controllers ${controllers}`);
    }
    return checkResult('cgroup files', 'warn', 'no cgroup file system is mounted: no CPU and memory metrics');
  } catch (error) {
    return checkResult('cgroup files', 'warn', `${errorMessage(error)}: no CPU and memory metrics`);
  }
}

function checkDataDirectory({ data_dir }: Config): CheckResult {
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
      return checkResult(
        'data directory',
        'warn',
        `${data_dir}: ${errorMessage(error)}: positions do not survive a restart`,
      );
    }
    try {
      readLayout(data_dir);
      return checkResult('data directory', 'ok', data_dir);
    } catch (error) {
      return checkResult('data directory', 'fail', errorMessage(error).replace(/^data_dir: /, ''));
    }
  }
}

async function checkListen({ listen: address }: Config): Promise<CheckResult> {
  const shown = `${address.host}:${address.port}`;
  try {
    await checkAddress(address);
    return checkResult('listen', 'ok', `${shown} is available`);
  } catch (error) {
    const isTaken = (error as NodeJS.ErrnoException).code === 'EADDRINUSE';
    return checkResult(
      'listen',
      'warn',
      isTaken ? `${shown} is in use, possibly by a running agent` : `${shown}: ${errorMessage(error)}`,
    );
  }
}

/** Sends an empty request, which is valid OTLP: a receiver accepts it. */
async function checkReceiver(destination: string, target: SignalEndpoint): Promise<CheckResult> {
  const { signal, protocol, url } = target;
  const name =
    destination === MAIN_DESTINATION ? `receiver of ${signal}` : `${destination}, receiver of ${signal}`;
  try {
    const transport = await createTransport(target);
    const verdict = await transport.send(Buffer.alloc(0));
    transport.close();
    const shown = String(maskSecrets(url.href));
    if (verdict.kind === 'accepted') return checkResult(name, 'ok', `${shown} accepts ${protocol}`);
    const isTemporary = verdict.kind === 'retry' || verdict.kind === 'unreachable';
    return checkResult(
      name,
      'fail',
      `${shown}: ${verdict.message}${isTemporary ? '; records would be queued' : ''}`,
    );
  } catch (error) {
    return checkResult(name, 'fail', errorMessage(error));
  }
}

/** @param onStep called before each step with its subject */
async function runChecks(config: Config, onStep: (what: string) => void): Promise<CheckResult[]> {
  const findings: CheckResult[] = [];
  for (const { name, endpoint } of configuredEndpoints(config)) {
    onStep(name === undefined ? 'the daemon' : `the daemon ${name}`);
    const found = isNoDaemon(endpoint) ? checkKernel(config) : await checkContainersOf(config, endpoint);
    findings.push(
      ...(name === undefined ? found : found.map((one) => ({ ...one, check: `${name}: ${one.check}` }))),
    );
  }
  findings.push(checkCgroups(config));
  findings.push(checkDataDirectory(config), await checkListen(config));
  for (const { name, endpoints: targets, kinds } of resolveDestinations(config)) {
    onStep(`the receivers of ${name}`);
    const signals = new Set(kinds.map(signalOfKind));
    for (const signal of signals) findings.push(await checkReceiver(name, targets[signal]!));
  }
  return findings;
}

export async function runCheck({ output }: { output: string }, command: Command): Promise<void> {
  const { config } = await loadCommandConfig(command);
  let what = '';
  const examined = runChecks(config, (step) => {
    what = step;
  });
  const findings = await withProgress(() => `checking ${what}`, examined);
  await printAs(output, findings, () => {
    const rows = findings.map(({ check: name, status, found }) => [status.toUpperCase(), name, found]);
    // The findings are the purpose of the command, so nothing is cut.
    const [head = '', ...lines] = formatTable(['STATUS', 'CHECK', 'FOUND'], rows);
    const styles = { ok: 'green', warn: 'yellow', fail: 'red' } as const;
    const painted = findings.map(({ status }, index) =>
      lines[index]!.replace(/^\w+/, (word) => paint(styles[status], word)),
    );
    print([paint('dim', head), ...painted].join('\n'));
  });
  // Sockets of the receiver check may still be open.
  process.exit(findings.some(({ status }) => status === 'fail') ? 1 : 0);
}

/** `portlight run`: runs the agent until a signal stops it. */

import type { Command } from 'commander';
import { errorMessage } from '../../collectors/shared/error-message.ts';
import { ConfigError } from '../../config/load.ts';
import type { Config } from '../../config/schema.ts';
import { Telemetry } from '../../exporters/shared/telemetry.ts';
import { type RunningAgent, startAgent } from '../process/agent.ts';
import { createLogger } from '../process/logger.ts';
import { loadCommandConfig } from './config-flags.ts';

export async function run(_options: unknown, command: Command): Promise<void> {
  const loaded = await loadCommandConfig(command);
  let { config } = loaded;
  const logger = createLogger(config.log_level);
  const logRuleProblems = (problems: readonly string[]) => {
    for (const problem of problems) logger.error(`ignoring a rule, or a change of a rule: ${problem}`);
  };
  logRuleProblems(loaded.ruleProblems);
  // Counters continue after a reload.
  const telemetry = new Telemetry(logger);

  let agent: RunningAgent | undefined;
  let stopping = false;
  let reloading: Promise<void> | undefined;
  const stop = (signal: NodeJS.Signals) => {
    // A second signal exits at once. So does the first one while the agent has not started yet.
    if (stopping || (agent === undefined && reloading === undefined)) process.exit(stopping ? 1 : 0);
    stopping = true;
    logger.info(`${signal}: shutting down`);
    Promise.resolve(reloading)
      .then(() => agent!.stop())
      .then(
        () => process.exit(0),
        (error) => {
          logger.error(`stop: ${errorMessage(error)}`);
          process.exit(1);
        },
      );
  };

  const logRefusal = (problems: readonly string[]) => {
    for (const problem of problems)
      logger.error(`SIGHUP: invalid configuration, keeping the current one: ${problem}`);
  };
  /** Restarts the agent. Nothing is lost in between: it resumes from positions, the spool and the daemon's events. */
  const reload = async () => {
    let next: Config;
    try {
      const reloaded = await loadCommandConfig(command);
      next = reloaded.config;
      logRuleProblems(reloaded.ruleProblems);
    } catch (error) {
      logRefusal(error instanceof ConfigError ? error.problems : [errorMessage(error)]);
      return;
    }
    await agent!.stop();
    try {
      agent = await startAgent(next, logger, telemetry);
      config = next;
      logger.level = config.log_level;
      logger.info('SIGHUP: configuration reloaded');
    } catch (error) {
      logRefusal([errorMessage(error)]);
      agent = await startAgent(config, logger, telemetry);
    }
  };
  const onReload = () => {
    if (stopping || agent === undefined) return;
    reloading = (reloading ?? Promise.resolve()).then(reload).catch((error) => {
      logger.fatal(`SIGHUP: ${errorMessage(error)}`);
      process.exit(1);
    });
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  process.on('SIGHUP', onReload);
  agent = await startAgent(config, logger, telemetry);
}

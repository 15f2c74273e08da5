/** `portlight run`: the agent itself. */

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
  const tell = (mistakes: readonly string[]) => {
    for (const mistake of mistakes) logger.error(`a rule, or a change of one, is left out: ${mistake}`);
  };
  tell(loaded.ruleProblems);
  // What was counted is counted on after a reload.
  const telemetry = new Telemetry(logger);

  let agent: RunningAgent | undefined;
  let stopping = false;
  let reloading: Promise<void> | undefined;
  const stop = (signal: NodeJS.Signals) => {
    // A second signal means "now"; before there is anything to stop, so does the first.
    if (stopping || (agent === undefined && reloading === undefined)) process.exit(stopping ? 1 : 0);
    stopping = true;
    logger.info(`${signal}: stopping`);
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

  const refuse = (mistakes: readonly string[]) => {
    for (const mistake of mistakes)
      logger.error(`SIGHUP: the configuration is refused, the old one stays: ${mistake}`);
  };
  /** Nothing is lost in between: positions, the spool and the daemon's events are gone on from. */
  const reload = async () => {
    let next: Config;
    try {
      const reloaded = await loadCommandConfig(command);
      next = reloaded.config;
      tell(reloaded.ruleProblems);
    } catch (error) {
      refuse(error instanceof ConfigError ? error.problems : [errorMessage(error)]);
      return;
    }
    await agent!.stop();
    try {
      agent = await startAgent(next, logger, telemetry);
      config = next;
      logger.level = config.log_level;
      logger.info('SIGHUP: the configuration is applied');
    } catch (error) {
      refuse([errorMessage(error)]);
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

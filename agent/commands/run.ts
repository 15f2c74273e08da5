/** `portlight run`: the agent itself. */
import type { Command } from 'commander';
import { applyToEnvironment } from '../../exporters/otlp/environment.ts';
import { type RunningAgent, startAgent } from '../agent.ts';
import { createLogger } from '../logger.ts';
import { messageOf } from '../telemetry.ts';
import { configOf } from './options.ts';

export async function run(_options: unknown, command: Command): Promise<void> {
  const { config } = await configOf(command);
  applyToEnvironment(config);
  const logger = createLogger(config.log_level);

  let agent: RunningAgent | undefined;
  let stopping = false;
  const stop = (signal: NodeJS.Signals) => {
    // A second signal means "now"; before there is anything to stop, so does the first.
    if (stopping || agent === undefined) process.exit(stopping ? 1 : 0);
    stopping = true;
    logger.info(`${signal}: stopping`);
    agent.stop().then(
      () => process.exit(0),
      (error) => {
        logger.error(`stop: ${messageOf(error)}`);
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  agent = await startAgent(config, logger);
}

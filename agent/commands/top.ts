/** `portlight top`: a live view of all containers, or of one in detail. */
import type { Command } from 'commander';
import { ConfigError } from '../../config/load.ts';
import { createPaint } from '../../exporters/console/colours.ts';
import { hasUnicode } from '../views/terminal/draw.ts';
import { TopApp } from '../views/top/app.ts';
import { sorts } from '../views/top/columns.ts';
import { findAgent } from '../views/watch/agent-client.ts';
import { AgentSource } from '../views/watch/agent-source.ts';
import { DaemonSource } from '../views/watch/daemon-source.ts';
import { loadCommandConfig } from './config-flags.ts';
import { withProgress } from './progress.ts';

const INTERVAL_MS = 1000;

export interface TopOptions {
  readonly sort: string;
  readonly filter?: string;
  readonly all?: boolean;
}

export async function runTop(
  { sort, filter = '', all = false }: TopOptions,
  command: Command,
): Promise<void> {
  const known = sorts.find((name) => name === sort);
  if (known === undefined)
    throw new ConfigError([`--sort: "${sort}" is not allowed; expected one of ${sorts.join(', ')}`]);
  const { config } = await loadCommandConfig(command);
  if (!process.stdin.isTTY || !process.stdout.isTTY)
    throw new Error('top requires a terminal; use portlight ps to print the same data once');
  const client = await findAgent(config);
  const source =
    client === undefined
      ? new DaemonSource(config, { since: 0, interval: INTERVAL_MS })
      : new AgentSource(client);
  let app: TopApp | undefined;
  await withProgress(
    () => `connecting to the ${source.origin}`,
    source.start(() => app?.redraw()),
  );
  app = new TopApp(source, createPaint(process.stdout), hasUnicode(), { sort: known, filter, all });
  await app.run();
  await source.close();
  // Sockets of streams may still be open.
  process.exit();
}

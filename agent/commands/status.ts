/** `portlight status`: asks the running agent how its deliveries go. */
import type { Command } from 'commander';
import { table } from '../../exporters/console/table.ts';
import type { Delivery, Status } from '../status.ts';
import { askAgent } from './ask.ts';
import { configOf } from './options.ts';

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const;

function size(bytes: number): string {
  let value = bytes;
  let unit = 0;
  for (; value >= 1024 && unit < UNITS.length - 1; unit++) value /= 1024;
  return `${unit === 0 ? value : value.toFixed(1)} ${UNITS[unit]}`;
}

function duration(seconds: number): string {
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  return seconds < 3600 ? `${Math.floor(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

const droppedText = (dropped: Delivery['dropped']): string =>
  Object.entries(dropped)
    .map(([reason, count]) => `${count} ${reason}`)
    .join(', ') || '0';

function print({ version, pid, since, daemon, destinations, deliveries, dropped }: Status): void {
  console.log(`portlight ${version}, process ${pid}, since ${since}`);
  const state = daemon.connected ? `connected, ${daemon.containers} containers observed` : 'not connected';
  console.log(`daemon ${daemon.host}: ${state}`);
  for (const { name, reachable } of destinations)
    console.log(`destination ${name}: ${reachable ? 'answers' : 'does not answer'}`);
  if (deliveries.length > 0) {
    const rows = deliveries.map((one) => [
      one.destination,
      one.signal,
      String(one.sent),
      size(one.sentBytes),
      size(one.waitingBytes),
      one.oldestAge === null ? '-' : duration(one.oldestAge),
      String(one.retries),
      droppedText(one.dropped),
    ]);
    const head = ['DESTINATION', 'SIGNAL', 'SENT', 'BYTES', 'WAITING', 'OLDEST', 'RETRIES', 'DROPPED'];
    console.log(`\n${table(head, rows).join('\n')}`);
  } else console.log('nothing is sent by OTLP');
  for (const [what, count] of Object.entries(dropped))
    console.log(`dropped before any destination: ${count} ${what}`);
}

export async function status({ output }: { output: string }, command: Command): Promise<void> {
  const { listen } = (await configOf(command)).config;
  const found = await askAgent<Status>(listen, '/status');
  if (output === 'json') console.log(JSON.stringify(found, null, 2));
  else print(found);
}

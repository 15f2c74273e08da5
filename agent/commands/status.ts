/** `portlight status`: the deliveries of the running agent. */
import type { Command } from 'commander';
import { formatBytes, formatDuration } from '../../exporters/console/format.ts';
import type { DeliveryStatus, Status } from '../../exporters/shared/status.ts';
import { loadCommandConfig } from './config-flags.ts';
import { print, printAs, printTable } from './output.ts';
import { queryAgent } from './query-agent.ts';

const formatDropped = (dropped: DeliveryStatus['dropped']): string =>
  Object.entries(dropped)
    .map(([reason, count]) => `${count} ${reason}`)
    .join(', ') || '0';

function show({ version, pid, since, daemons, destinations, deliveries, dropped }: Status): void {
  print(`portlight ${version}, process ${pid}, started ${since}`);
  for (const { name, host, connected, containers } of daemons) {
    const state = connected
      ? `connected, ${containers} ${containers === 1 ? 'container' : 'containers'}`
      : 'not connected';
    print(`daemon ${name === null ? host : `${name} (${host})`}: ${state}`);
  }
  for (const { name, reachable } of destinations)
    print(`destination ${name}: ${reachable ? 'reachable' : 'unreachable'}`);
  if (deliveries.length > 0) {
    const rows = deliveries.map((one) => [
      one.destination,
      one.signal,
      String(one.sent),
      formatBytes(one.sentBytes),
      formatBytes(one.waitingBytes),
      one.oldestAge === null ? '-' : formatDuration(one.oldestAge),
      String(one.retries),
      formatDropped(one.dropped),
    ]);
    const head = ['DESTINATION', 'SIGNAL', 'SENT', 'BYTES', 'QUEUED', 'OLDEST', 'RETRIES', 'DROPPED'];
    print('');
    printTable({ head, rows, right: ['SENT', 'BYTES', 'QUEUED', 'OLDEST', 'RETRIES'] });
  } else print('No OTLP destination is configured.');
  for (const [what, count] of Object.entries(dropped)) print(`dropped before delivery: ${count} ${what}`);
}

export async function printStatus({ output }: { output: string }, command: Command): Promise<void> {
  const { config } = await loadCommandConfig(command);
  const found = await queryAgent<Status>(config, '/status');
  await printAs(output, found, () => show(found));
}

/** `portlight status`: asks the running agent how its deliveries go. */
import type { Command } from 'commander';
import { bytes, duration } from '../../exporters/console/format.ts';
import type { Delivery, Status } from '../../exporters/shared/status.ts';
import { loadCommandConfig } from './config-flags.ts';
import { print, printAs, printTable } from './output.ts';
import { queryAgent } from './query-agent.ts';

const droppedText = (dropped: Delivery['dropped']): string =>
  Object.entries(dropped)
    .map(([reason, count]) => `${count} ${reason}`)
    .join(', ') || '0';

function show({ version, pid, since, daemons, destinations, deliveries, dropped }: Status): void {
  print(`portlight ${version}, process ${pid}, since ${since}`);
  for (const { name, host, connected, containers } of daemons) {
    const state = connected ? `connected, ${containers} containers observed` : 'not connected';
    print(`daemon ${name === null ? host : `${name} (${host})`}: ${state}`);
  }
  for (const { name, reachable } of destinations)
    print(`destination ${name}: ${reachable ? 'answers' : 'does not answer'}`);
  if (deliveries.length > 0) {
    const rows = deliveries.map((one) => [
      one.destination,
      one.signal,
      String(one.sent),
      bytes(one.sentBytes),
      bytes(one.waitingBytes),
      one.oldestAge === null ? '-' : duration(one.oldestAge),
      String(one.retries),
      droppedText(one.dropped),
    ]);
    const head = ['DESTINATION', 'SIGNAL', 'SENT', 'BYTES', 'WAITING', 'OLDEST', 'RETRIES', 'DROPPED'];
    print('');
    printTable({ head, rows, right: ['SENT', 'BYTES', 'WAITING', 'OLDEST', 'RETRIES'] });
  } else print('nothing is sent by OTLP');
  for (const [what, count] of Object.entries(dropped))
    print(`dropped before any destination: ${count} ${what}`);
}

export async function status({ output }: { output: string }, command: Command): Promise<void> {
  const { config } = await loadCommandConfig(command);
  const found = await queryAgent<Status>(config, '/status');
  await printAs(output, found, () => show(found));
}

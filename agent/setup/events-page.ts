/** Generates docs/events.md from the tables of events. */

import { type Action, actions } from '../../collectors/lifecycle/actions.ts';
import { exitReasons } from '../../collectors/lifecycle/exit-reason.ts';
import { agentEvents } from '../../collectors/records/agent-events.ts';
import { Severity } from '../../collectors/records/records.ts';

const TITLES: Readonly<Record<string, string>> = {
  container: 'Containers',
  image: 'Images',
  network: 'Networks',
  volume: 'Volumes',
  plugin: 'Plugins',
  daemon: 'Daemon',
  builder: 'Build cache',
  service: 'Swarm services',
  node: 'Swarm nodes',
  secret: 'Swarm secrets',
  config: 'Swarm configs',
};

const severityName = (severity: number): string =>
  Object.entries(Severity).find(([, value]) => value === severity)?.[0] ?? '';

const code = (names: readonly string[]): string => names.map((name) => `\`${name}\``).join(', ');

function tableRow({ type, action, description, severity, attributes, since, span }: Action): string {
  const level = action === 'die' ? 'by exit reason' : severityName(severity);
  const cells = [
    `\`docker.${type}.${action}\``,
    description,
    level,
    code(Object.values(attributes)),
    code(since),
    span === undefined ? '' : code([span]),
  ];
  return `| ${cells.join(' | ')} |`;
}

function section(type: string): string[] {
  return [
    `## ${TITLES[type] ?? type}`,
    '',
    '| event | what happened | severity | own attributes | duration since | span |',
    '| --- | --- | --- | --- | --- | --- |',
    ...actions.filter((action) => action.type === type).map(tableRow),
    '',
  ];
}

export function eventsPage(): string {
  const types = [...new Set(actions.map(({ type }) => type))];
  return [
    '# Events',
    '',
    'Generated from the tables in `collectors/lifecycle/actions.ts`, `collectors/lifecycle/exit-reason.ts` and `collectors/records/agent-events.ts` by',
    '`npm run docs`.',
    '',
    'Each event is one OTLP log record of the scope `portlight.events`. `eventName` identifies the event; the body is a',
    'sentence for people, such as `container web exited with code 3`.',
    '',
    '- An event about a container has the resource of that container. This includes events of networks and volumes that',
    '  name a container. All other events have the resource of the host.',
    '- All events have `docker.event.type`, `docker.event.action` and `log.record.uid`. The uid identifies repeats.',
    '- Events that are not about a container alone have `docker.actor.id` and `docker.actor.name`.',
    '- `docker.event.duration` is the time in seconds since the latest of the earlier events in the column *duration since*.',
    "- Events in the life of a container have its trace's id.",
    '- With `events.exec_commands`, the command of an exec is in `process.command_line`, redacted.',
    '- `events.exclude` excludes events by name, except alerts.',
    '- Events of the daemon that are not listed here are reported too.',
    '',
    'After the agent or the daemon was away, the agent reads the last 256 events from the daemon. What these do not cover,',
    'it concludes from the inventory. Concluded events have `portlight.event.synthesized` = true. `portlight.event.time` is',
    '`known` if the daemon shows the time, and `estimated` if the time is the latest possible one.',
    '',
    ...types.flatMap(section),
    '## Exit reasons',
    '',
    '`portlight.exit.reason` of `docker.container.die` and of the spans `container`, `container.run` and',
    '`container.stop`:',
    '',
    '| reason | the container | severity |',
    '| --- | --- | --- |',
    ...Object.entries(exitReasons).map(
      ([reason, { description, severity }]) =>
        `| \`${reason}\` | ${description} | ${severityName(severity)} |`,
    ),
    '',
    'A requested exit with code 0 is INFO. Exits with WARN or ERROR have the evidence as attributes:',
    '',
    '| attribute | value |',
    '| --- | --- |',
    '| `portlight.exit.log` | the last lines of the log as they were sent: redacted and filtered |',
    '| `portlight.exit.signal` | the signal that the exit code stands for |',
    '| `portlight.exit.memory.limit` | the memory limit, bytes |',
    '| `portlight.exit.memory.usage`, `.working_set`, `.anon`, `.file` | memory in the last round of metrics, bytes |',
    '| `portlight.exit.pids` | processes in the last round |',
    '| `portlight.exit.cpu.throttled` | share of the CPU periods of the last minute that were throttled |',
    '| `portlight.exit.sample.age` | age of the last round, seconds |',
    '',
    '## Events of the agent',
    '',
    '| event | what happened | severity |',
    '| --- | --- | --- |',
    ...Object.values(agentEvents).map(
      ({ name, description, severity }) => `| \`${name}\` | ${description} | ${severityName(severity)} |`,
    ),
    '',
    '`portlight.inventory.change` of an inventory event is `found` (it existed before the agent), `new`, `changed` or',
    '`removed`.',
    '',
    '## Traces',
    '',
    'The life of a container is a trace: one run with what led to it.',
    '',
    '- The root span `container` begins with the creation, or with the start if it is not the first. It ends with the run.',
    '- If the image arrived within the ten minutes before the creation, the root span begins with the arrival. The arrival is',
    '  the span `image.pull`, `image.load`, … without duration, because the daemon does not report when a pull began.',
    '- The root span is sent when the run ends. Its children are sent when they end: the spans in the tables above, and',
    '  `container.stop` from the first signal to the exit.',
    '- `container` and `container.run` link to the last life of the same Compose service, or of the same name.',
    '- Commands of health checks are no spans.',
    '- `traces.enabled: false` disables traces. No traces are sent either if only logs and metrics have a receiver',
    '  (`OTEL_EXPORTER_OTLP_LOGS_ENDPOINT`, …).',
    '',
  ].join('\n');
}

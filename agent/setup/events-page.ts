/** The text of docs/events.md, from the tables that the code tells events by. */

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
  daemon: 'The daemon',
  builder: 'The build cache',
  service: 'Swarm services',
  node: 'Swarm nodes',
  secret: 'Swarm secrets',
  config: 'Swarm configs',
};

const severityName = (severity: number): string =>
  Object.entries(Severity).find(([, value]) => value === severity)?.[0] ?? '';

const code = (names: readonly string[]): string => names.map((name) => `\`${name}\``).join(', ');

function actionRow({ type, action, description: what, severity, attributes, since, span }: Action): string {
  const level = action === 'die' ? 'by its reason' : severityName(severity);
  const cells = [
    `\`docker.${type}.${action}\``,
    what,
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
    '| event | what has happened | severity | attributes of its own | duration since | span |',
    '| --- | --- | --- | --- | --- | --- |',
    ...actions.filter((action) => action.type === type).map(actionRow),
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
    'Each event is one OTLP log record of the scope `portlight.events`: `eventName` says which, the body is a sentence.',
    'What is about a container bears its whole resource, also where a network or a volume is its other side; all else',
    'bears the host. What the daemon tells and this page does not have is told all the same.',
    '',
    'All of them have `docker.event.type`, `docker.event.action` and `log.record.uid`, by which a receiver recognises a',
    'repeat; those that are about no container alone have `docker.actor.id` and `docker.actor.name`.',
    '`docker.event.duration` is the time in seconds since the latest of the earlier events that the table names. What',
    "belongs to the life of a container bears its trace's id. The command of an exec is told, redacted, as",
    '`process.command_line` with `events.exec_commands`; events other than alerts can be left out by name with',
    '`events.exclude`.',
    '',
    'What happened while the agent or the daemon was away, and is not among the 256 events that the daemon remembers, is',
    'concluded from its inventory and told with `portlight.event.synthesized` = true. `portlight.event.time` is `known`',
    'where the daemon says when it was, and `estimated` where the time is the latest that it can have been.',
    '',
    ...types.flatMap(section),
    '## Why a container ended',
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
    'An end that was asked for and left exit code 0 is INFO. Ends that are WARN or ERROR bear what was known: the last',
    'lines of the log (`portlight.exit.log`, as they were sent, redacted and filtered), the limit',
    '(`portlight.exit.memory.limit`, bytes), and of the last round of metrics `portlight.exit.memory.usage`,',
    '`.working_set`, `.anon` and `.file`, `portlight.exit.pids`, and the share of its CPU periods of the last minute in',
    'which it was throttled (`portlight.exit.cpu.throttled`); `portlight.exit.sample.age` is how old these are, in',
    'seconds. `portlight.exit.signal` is the signal that the exit code stands for.',
    '',
    '## What the agent recognises and finds',
    '',
    '| event | what | severity |',
    '| --- | --- | --- |',
    ...Object.values(agentEvents).map(
      ({ name, description: what, severity }) => `| \`${name}\` | ${what} | ${severityName(severity)} |`,
    ),
    '',
    '`portlight.inventory.change` of an inventory event is `found` (it was there before), `new`, `changed` or `removed`.',
    '',
    '## Traces',
    '',
    'The life of a container is a trace: a run with what led to it. The root span `container` begins with the creation',
    '(or with the arrival of the image in the ten minutes before it, which is the span `image.pull`, `image.load`, …:',
    'a moment, for nobody tells when a pull began), or with the start that is not the first, and ends with the run. It is',
    'sent when the run ends; its children, the spans in the tables above and `container.stop` (from the first signal to',
    'the end), when they do. `container` and `container.run` link to the last life of the same Compose service, or of',
    "the same name. Health checks' own commands are no spans. `traces.enabled: false` switches traces off; they are not\nsent either where only logs and metrics are given a receiver (`OTEL_EXPORTER_OTLP_LOGS_ENDPOINT`, …).",
    '',
  ].join('\n');
}

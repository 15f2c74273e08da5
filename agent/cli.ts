#!/usr/bin/env -S node --max-semi-space-size=1
import { Command, Option } from 'commander';
import { ConfigError } from '../config/load.ts';
import { withConfig } from './commands/options.ts';
import { messageOf } from './telemetry.ts';
import { VERSION } from './version.ts';

// The first line's flag keeps the young generation small, which saves a sixth of the resident memory at no
// cost in CPU (npm run bench).

/** Exit code for input that cannot be right: configuration and command line. */
const EXIT_USAGE = 2;

const output = () =>
  new Option('-o, --output <format>', 'how to print').choices(['table', 'json']).default('table');

const program = new Command('portlight')
  .description(
    'Observes the containers of a Docker host: CPU, memory and namespaces from the kernel, logs and lifecycle events from the daemon, shipped through OpenTelemetry. It only ever reads.',
  )
  .version(VERSION, '-v, --version')
  .showHelpAfterError('(--help tells what there is)')
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : EXIT_USAGE))
  .addHelpText(
    'after',
    `
Examples:
  $ portlight run                                  print everything to the console
  $ portlight run --interval 5s --exporter console
  $ OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318 portlight run
                                                   ship to an OpenTelemetry Collector
  $ portlight ps                                   what each container uses, once
  $ portlight logs -f web                          the log of one container
  $ portlight namespaces                           who shares what with whom
  $ portlight check                                what works here, and what is missing

Every option is also a variable (PORTLIGHT_INTERVAL) and a key of portlight.yaml (interval);
flags win over variables, variables over the file.`,
  );

// Each command is imported when it is called: --help and ps need no exporter.
withConfig(program.command('run').description('run the agent until it is told to stop')).action(
  async (options, command) => (await import('./commands/run.ts')).run(options, command),
);

withConfig(program.command('ps').description('list running containers: CPU, memory, processes, namespaces'), [
  'docker_host',
  'procfs',
  'log_level',
])
  .addOption(output())
  .action(async (options, command) => (await import('./commands/ps.ts')).ps(options, command));

const ON_DAEMON = ['docker_host'];

withConfig(
  program
    .command('logs <container>')
    .description('print the log of a container')
    .option('-f, --follow', 'go on with what is written from now on')
    .option('-n, --tail <lines>', 'only the last lines', 'all')
    .option('--since <time>', 'only lines from then on: a duration such as 10m, or a time')
    .option('-t, --timestamps', 'with the time of each line'),
  ON_DAEMON,
)
  .addOption(new Option('-o, --output <format>', 'how to print').choices(['text', 'json']).default('text'))
  .action(async (name, options, command) =>
    (await import('./commands/logs.ts')).logs(name, options, command),
  );

withConfig(
  program.command('images').description('list images: age, size, and the containers that use them'),
  ON_DAEMON,
)
  .addOption(output())
  .action(async (options, command) => (await import('./commands/images.ts')).images(options, command));

withConfig(program.command('info').description('tell what daemon and host these are'), ON_DAEMON)
  .addOption(output())
  .action(async (options, command) => (await import('./commands/info.ts')).info(options, command));

withConfig(
  program
    .command('namespaces')
    .description('tell who shares which namespace with whom, and what confines each container'),
  [...ON_DAEMON, 'procfs'],
)
  .addOption(
    new Option('-o, --output <format>', 'how to print').choices(['tree', 'json', 'dot']).default('tree'),
  )
  .action(async (options, command) =>
    (await import('./commands/namespaces.ts')).namespaces(options, command),
  );

withConfig(
  program
    .command('check')
    .description(
      'tell what works here and what is missing; exits with 1 when the agent could not do its work',
    ),
)
  .addOption(output())
  .action(async (options, command) => (await import('./commands/check.ts')).check(options, command));

withConfig(program.command('status').description('ask the running agent how its deliveries go'), ['listen'])
  .addOption(output())
  .action(async (options, command) => (await import('./commands/status.ts')).status(options, command));

const alerts = withConfig(
  program
    .command('alerts')
    .description('ask the running agent what fires, and what was resolved not long ago'),
  ['listen'],
)
  .addOption(output())
  .action(async (options, command) => (await import('./commands/alerts.ts')).alerts(options, command));

withConfig(alerts.command('rules').description('list the rules, and when each fires'), [])
  .addOption(output())
  .action(async (options, command) => (await import('./commands/alerts.ts')).listRules(options, command));

program
  .command('metrics')
  .description('what can be collected')
  .command('list', { isDefault: true })
  .description('list every metric with its group, kind, unit and whether it is on by default')
  .addOption(output())
  .action(async (options) => (await import('./commands/metrics.ts')).listMetrics(options));

const config = program.command('config').description('show or check the configuration');

withConfig(config.command('print').description('print each value and where it came from'))
  .addOption(output())
  .action(async (options, command) => (await import('./commands/config.ts')).printConfig(options, command));

withConfig(
  config.command('validate').description('exit with 2 and a line for each mistake when it is wrong'),
).action(async (options, command) => (await import('./commands/config.ts')).validateConfig(options, command));

try {
  await program.parseAsync();
} catch (error) {
  const lines = error instanceof ConfigError ? error.mistakes : [messageOf(error)];
  for (const line of lines) console.error(`portlight: ${line}`);
  process.exit(error instanceof ConfigError ? EXIT_USAGE : 1);
}

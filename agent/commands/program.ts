/**
 * The command line: each command with its arguments, options and examples. A command's module is imported when the
 * command is called, so `--help` and `ps` load no exporter. Shell completion and docs/commands.md derive from it.
 */

import { Argument, Command, Option } from 'commander';
import { severityRanges } from '../../config/severity.ts';
import { VERSION } from '../../config/version.ts';
import { addExample, formatExamples, outputOption } from './command-help.ts';
import { addConfigFlags } from './config-flags.ts';
import { exitCodes } from './exit-codes.ts';

/** Options of commands that query the daemon or a running agent. */
const QUERY_OPTIONS = ['docker_host', 'scope', 'procfs', 'listen', 'data_dir'];
const SINCE = 'duration such as 10m, or time such as 2026-11-24T12:00:00Z';

const shells = ['bash', 'zsh', 'fish'] as const;

export function createProgram(): Command {
  const program = new Command('portlight')
    .description(
      'Observes the containers of a Docker host: CPU, memory and namespaces from the kernel, logs and lifecycle events from the daemon. Exports them through OpenTelemetry. Read-only.',
    )
    .version(VERSION, '-v, --version')
    .showHelpAfterError('(run with --help for usage)')
    .exitOverride((error) => process.exit(error.exitCode === 0 ? exitCodes.done.code : exitCodes.usage.code))
    .addHelpText(
      'after',
      () => `
Examples:
${formatExamples([
  { line: 'portlight run', what: 'print everything to the console' },
  { line: 'portlight run --interval 5s --exporter console', what: 'collect metrics every 5 seconds' },
  { line: 'portlight top', what: 'live view of all containers' },
  { line: 'portlight logs -f web db', what: 'follow two logs' },
  { line: 'portlight events -f', what: 'follow events, with exit reasons' },
  { line: 'portlight check', what: 'check requirements and permissions' },
])}

To export to an OpenTelemetry Collector: OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318 portlight run
Every option is also an environment variable (PORTLIGHT_INTERVAL) and a key of portlight.yaml (interval).
Precedence: flags, then variables, then the file.`,
    );
  addAgent(program);
  addAlerts(program);
  addViews(program);
  addStreams(program);
  addSetup(program);
  return program;
}

function addAgent(program: Command): void {
  const run = addConfigFlags(program.command('run').description('run the agent until it is stopped')).action(
    async (options, command) => (await import('./run.ts')).run(options, command),
  );
  addExample(run, 'portlight run --exporter otlp,console', 'export, and print to the console');

  const check = addConfigFlags(
    program
      .command('check')
      .description('check requirements and permissions; exits with 1 if the agent cannot work'),
  )
    .addOption(outputOption())
    .addOption(
      new Option('--live', 'check only that the running agent is alive, for health checks').conflicts(
        'output',
      ),
    )
    .action(async (options, command) => {
      // Health checks run often: the other checks are not even loaded for them.
      if (options.live) await (await import('./check-live.ts')).checkLive(command);
      else await (await import('./check.ts')).runCheck(options, command);
    });
  addExample(check, 'portlight check', 'before the first run, or when data is missing');
  addExample(check, 'portlight check --live', 'as the health check of a container');

  const status = addConfigFlags(
    program.command('status').description('show the deliveries of the running agent'),
    ['listen', 'data_dir'],
  )
    .addOption(outputOption())
    .action(async (options, command) => (await import('./status.ts')).printStatus(options, command));
  addExample(status, 'portlight status', 'records sent, queued and dropped');
}

function addAlerts(program: Command): void {
  const alerts = program.command('alerts').description('show current alerts, or list the rules');
  const listed = addConfigFlags(
    alerts
      .command('list', { isDefault: true })
      .description(
        'show firing, pending and recently resolved alerts; without a running agent, evaluate the rules once',
      ),
    [...QUERY_OPTIONS, 'rootfs', 'log_level'],
  )
    .addOption(outputOption())
    .action(async (options, command) => (await import('./alerts.ts')).listAlerts(options, command));
  addExample(listed, 'portlight alerts', 'current alerts');

  const rules = addConfigFlags(
    alerts.command('rules').description('list all rules with their conditions'),
    [],
  )
    .addOption(outputOption())
    .action(async (options, command) => (await import('./alerts.ts')).listRules(options, command));
  addExample(rules, 'portlight alerts rules --config new.yaml', 'including problems in the rules of a file');
}

function addViews(program: Command): void {
  const top = addConfigFlags(
    program
      .command('top')
      .description('live view of all containers, or of one in detail; press ? for the keys')
      .option('--sort <column>', 'name, cpu, memory, share, network, disk, pids, up or state', 'cpu')
      .option('--filter <text>', 'only containers with this text in name, image, project or state')
      .option('-a, --all', 'include stopped containers'),
    QUERY_OPTIONS,
  ).action(async (options, command) => (await import('./top.ts')).runTop(options, command));
  addExample(top, 'portlight top', 'Enter opens a container, / filters, s sorts, q quits');
  addExample(top, 'portlight top --sort memory --filter shop', 'one project, by memory');

  const ps = addConfigFlags(
    program.command('ps').description('list running containers: CPU, memory, processes, namespaces'),
    [...QUERY_OPTIONS, 'log_level'],
  )
    .addOption(outputOption())
    .action(async (options, command) => (await import('./ps.ts')).listContainers(options, command));
  addExample(ps, 'portlight ps', 'current resource usage');
  addExample(ps, 'portlight ps -o json', 'for scripts');

  const images = addConfigFlags(
    program.command('images').description('list images: age, size, and the containers that use them'),
    QUERY_OPTIONS,
  )
    .addOption(outputOption())
    .action(async (options, command) => (await import('./images.ts')).printImages(options, command));
  addExample(images, 'portlight images', 'marks containers that run an outdated image');

  const info = addConfigFlags(
    program.command('info').description('show information about the daemon and its host'),
    QUERY_OPTIONS,
  )
    .addOption(outputOption())
    .action(async (options, command) => (await import('./info.ts')).printInfo(options, command));
  addExample(info, 'portlight info -o yaml', 'versions, drivers, counts, warnings');

  const namespaces = addConfigFlags(
    program.command('namespaces').description('show shared namespaces and confinement of containers'),
    QUERY_OPTIONS,
  )
    .addOption(outputOption('tree', 'table', 'json', 'yaml', 'dot'))
    .action(async (options, command) => (await import('./namespaces.ts')).printNamespaces(options, command));
  addExample(namespaces, 'portlight namespaces', 'as a tree');
  addExample(namespaces, 'portlight namespaces -o dot | dot -Tsvg > map.svg', 'as a picture, with Graphviz');
}

function addStreams(program: Command): void {
  const logs = addConfigFlags(
    program
      .command('logs')
      .description('print the logs of containers, merged by time')
      .argument('<container...>', 'names, ids or id prefixes')
      .option('-f, --follow', 'follow new lines')
      .option('-n, --tail <lines>', 'only the last lines of each container', 'all')
      .option('--since <time>', `only lines since then: ${SINCE}`)
      .option('-g, --grep <pattern>', 'only lines that match the regular expression')
      .addOption(
        new Option('--severity <level>', 'only lines of this severity or higher').choices(
          severityRanges.map((name) => name.toLowerCase()),
        ),
      )
      .option('-t, --timestamps', 'print the time of each line'),
    QUERY_OPTIONS,
  )
    .addOption(outputOption('text', 'json'))
    .action(async (names, options, command) =>
      (await import('./logs.ts')).printLogs(names, options, command),
    );
  addExample(logs, 'portlight logs -f web', 'follow one log');
  addExample(logs, 'portlight logs --since 10m --severity warn web db', 'recent warnings and errors of two');
  addExample(logs, "portlight logs --grep 'order \\d+' -o json web", 'one JSON object per line');

  const events = addConfigFlags(
    program
      .command('events')
      .description('print events, with durations, exit codes and exit reasons')
      .argument('[container...]', 'only events of these containers')
      .option('-f, --follow', 'follow new events')
      .option('--since <time>', `only events since then: ${SINCE}`),
    QUERY_OPTIONS,
  )
    .addOption(outputOption('text', 'json'))
    .action(async (names, options, command) =>
      (await import('./events.ts')).printEvents(names, options, command),
    );
  addExample(events, 'portlight events --since 1h', 'events of the last hour');
  addExample(events, 'portlight events -f web', 'follow the events of one container');
}

function addSetup(program: Command): void {
  const metrics = program
    .command('metrics')
    .description('list available metrics')
    .command('list', { isDefault: true })
    .description('list all metrics: group, kind, unit, and whether each is enabled by default')
    .addOption(outputOption())
    .action(async (options) => (await import('./metrics.ts')).listMetrics(options));
  addExample(metrics, 'portlight metrics list', 'the same as docs/metrics.md');

  const config = program.command('config').description('show or validate the configuration');
  const printed = addConfigFlags(
    config.command('print').description('print all values and where each comes from'),
  )
    .addOption(outputOption())
    .action(async (options, command) => (await import('./config.ts')).printConfig(options, command));
  addExample(printed, 'portlight config print', 'with secrets masked');
  const validate = addConfigFlags(
    config
      .command('validate')
      .description('validate the configuration; exits with 2 and prints one line per problem'),
  ).action(async (options, command) => (await import('./config.ts')).validateConfig(options, command));
  addExample(validate, 'portlight config validate --config new.yaml', 'before you deploy it');
  const schema = config
    .command('schema')
    .description('print the JSON Schema of the configuration file')
    .action(async () => (await import('./config.ts')).printSchema());
  addExample(schema, 'portlight config schema > portlight.schema.json', 'for editors and CI');

  const completion = program
    .command('completion')
    .description('print a shell completion script for commands, options and containers')
    .addArgument(new Argument('<shell>', 'shell').choices(shells))
    .action(async (shell) => (await import('./completion.ts')).completion(shell));
  addExample(completion, 'source <(portlight completion bash)', 'in ~/.bashrc');
  addExample(completion, 'source <(portlight completion zsh)', 'in ~/.zshrc, after compinit');
  addExample(completion, 'portlight completion fish > ~/.config/fish/completions/portlight.fish', 'once');
  program
    .command('complete', { hidden: true })
    .description('print completions of a word; called by completion scripts')
    .argument('[words...]')
    .action(async (words) => (await import('./completion.ts')).complete(words, program));
}

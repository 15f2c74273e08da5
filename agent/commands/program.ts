/**
 * The command line: each command with its arguments, options and examples. What it does is imported when it is called:
 * --help and ps need no exporter. Shell completion and docs/commands.md are made from it.
 */

import { Argument, Command, Option } from 'commander';
import { severityRanges } from '../../config/severity.ts';
import { VERSION } from '../../config/version.ts';
import { addExample, formatExamples, outputOption } from './command-help.ts';
import { addConfigFlags } from './config-flags.ts';
import { exitCodes } from './exit-codes.ts';

/** What commands heed that ask the daemon, or the running agent where one answers. */
const ASKING = ['docker_host', 'scope', 'procfs', 'listen', 'data_dir'];
const SINCE = 'a duration such as 10m, or a time such as 2026-11-24T12:00:00Z';

const shells = ['bash', 'zsh', 'fish'] as const;

export function createProgram(): Command {
  const program = new Command('portlight')
    .description(
      'Observes the containers of a Docker host: CPU, memory and namespaces from the kernel, logs and lifecycle events from the daemon, shipped through OpenTelemetry. It only ever reads.',
    )
    .version(VERSION, '-v, --version')
    .showHelpAfterError('(--help tells what there is)')
    .exitOverride((error) => process.exit(error.exitCode === 0 ? exitCodes.done.code : exitCodes.usage.code))
    .addHelpText(
      'after',
      () => `
Examples:
${formatExamples([
  { line: 'portlight run', what: 'print everything to the console' },
  { line: 'portlight run --interval 5s --exporter console', what: 'more often' },
  { line: 'portlight top', what: 'all containers, live' },
  { line: 'portlight logs -f web db', what: 'two logs as one' },
  { line: 'portlight events -f', what: 'what happens, and why it ended' },
  { line: 'portlight check', what: 'what works here, and what is missing' },
])}

With OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318, run ships to an OpenTelemetry Collector.
Every option is also a variable (PORTLIGHT_INTERVAL) and a key of portlight.yaml (interval);
flags win over variables, variables over the file.`,
    );
  addAgent(program);
  addAlerts(program);
  addViews(program);
  addStreams(program);
  addSetup(program);
  return program;
}

function addAgent(program: Command): void {
  const run = addConfigFlags(
    program.command('run').description('run the agent until it is told to stop'),
  ).action(async (options, command) => (await import('./run.ts')).run(options, command));
  addExample(run, 'portlight run --exporter otlp,console', 'ship, and print as well');

  const check = addConfigFlags(
    program
      .command('check')
      .description(
        'tell what works here and what is missing; exits with 1 when the agent could not do its work',
      ),
  )
    .addOption(outputOption())
    .addOption(
      new Option('--live', 'only ask the running agent whether it works, as health checks do').conflicts(
        'output',
      ),
    )
    .action(async (options, command) => {
      // Health checks ask often: what examines is not even loaded for them.
      if (options.live) await (await import('./check-live.ts')).checkLive(command);
      else await (await import('./check.ts')).check(options, command);
    });
  addExample(check, 'portlight check', 'before the first run, and when something is missing');
  addExample(check, 'portlight check --live', 'the health check of a container');

  const status = addConfigFlags(
    program.command('status').description('ask the running agent how its deliveries go'),
    ['listen', 'data_dir'],
  )
    .addOption(outputOption())
    .action(async (options, command) => (await import('./status.ts')).status(options, command));
  addExample(status, 'portlight status', 'what was sent, what waits, what was dropped');
}

function addAlerts(program: Command): void {
  const alerts = program.command('alerts').description('tell what fires, and list the rules');
  const listed = addConfigFlags(
    alerts
      .command('list', { isDefault: true })
      .description(
        'tell what fires, and what was resolved not long ago; without an agent, which rules hold now',
      ),
    [...ASKING, 'rootfs', 'log_level'],
  )
    .addOption(outputOption())
    .action(async (options, command) => (await import('./alerts.ts')).alerts(options, command));
  addExample(listed, 'portlight alerts', 'what fires now');

  const rules = addConfigFlags(alerts.command('rules').description('list the rules, and when each fires'), [])
    .addOption(outputOption())
    .action(async (options, command) => (await import('./alerts.ts')).listRules(options, command));
  addExample(rules, 'portlight alerts rules --config new.yaml', 'with what is wrong in them');
}

function addViews(program: Command): void {
  const top = addConfigFlags(
    program
      .command('top')
      .description('watch all containers live, and one of them closely: ? tells the keys')
      .option('--sort <column>', 'name, cpu, memory, share, network, disk, pids, up or state', 'cpu')
      .option('--filter <text>', 'only containers whose name, image, project or state has it')
      .option('-a, --all', 'also those that do not run'),
    ASKING,
  ).action(async (options, command) => (await import('./top.ts')).top(options, command));
  addExample(top, 'portlight top', 'Enter for one container, / to filter, s to sort, q to leave');
  addExample(top, 'portlight top --sort memory --filter shop', 'begin with those of one project');

  const ps = addConfigFlags(
    program.command('ps').description('list running containers: CPU, memory, processes, namespaces'),
    [...ASKING, 'log_level'],
  )
    .addOption(outputOption())
    .action(async (options, command) => (await import('./ps.ts')).ps(options, command));
  addExample(ps, 'portlight ps', 'what each container uses, once');
  addExample(ps, 'portlight ps -o json', 'for a script');

  const images = addConfigFlags(
    program.command('images').description('list images: age, size, and the containers that use them'),
    ASKING,
  )
    .addOption(outputOption())
    .action(async (options, command) => (await import('./images.ts')).images(options, command));
  addExample(images, 'portlight images', 'with containers whose image has a newer version here');

  const info = addConfigFlags(
    program.command('info').description('tell what daemon and host these are'),
    ASKING,
  )
    .addOption(outputOption())
    .action(async (options, command) => (await import('./info.ts')).info(options, command));
  addExample(info, 'portlight info -o yaml', 'versions, drivers, counts, warnings');

  const namespaces = addConfigFlags(
    program
      .command('namespaces')
      .description('tell who shares which namespace with whom, and what confines each container'),
    ASKING,
  )
    .addOption(outputOption('tree', 'table', 'json', 'yaml', 'dot'))
    .action(async (options, command) => (await import('./namespaces.ts')).namespaces(options, command));
  addExample(namespaces, 'portlight namespaces', 'as a tree');
  addExample(namespaces, 'portlight namespaces -o dot | dot -Tsvg > map.svg', 'as a picture, by Graphviz');
}

function addStreams(program: Command): void {
  const logs = addConfigFlags(
    program
      .command('logs')
      .description('print the logs of containers, several of them by time')
      .argument('<container...>', 'names, ids, or the beginnings of ids')
      .option('-f, --follow', 'go on with what is written from now on')
      .option('-n, --tail <lines>', 'only the last lines of each', 'all')
      .option('--since <time>', `only lines from then on: ${SINCE}`)
      .option('-g, --grep <pattern>', 'only lines that fit the regular expression')
      .addOption(
        new Option('--severity <level>', 'only lines of this severity or a higher one').choices(
          severityRanges.map((name) => name.toLowerCase()),
        ),
      )
      .option('-t, --timestamps', 'with the time of each line'),
    ASKING,
  )
    .addOption(outputOption('text', 'json'))
    .action(async (names, options, command) => (await import('./logs.ts')).logs(names, options, command));
  addExample(logs, 'portlight logs -f web', 'the log of one container');
  addExample(logs, 'portlight logs --since 10m --severity warn web db', 'what went wrong in two');
  addExample(logs, "portlight logs --grep 'order \\d+' -o json web", 'one JSON object a line');

  const events = addConfigFlags(
    program
      .command('events')
      .description('print what happened, as the agent tells it: how long, why, with what exit code')
      .argument('[container...]', 'only what is about these')
      .option('-f, --follow', 'go on with what happens from now on')
      .option('--since <time>', `only events from then on: ${SINCE}`),
    ASKING,
  )
    .addOption(outputOption('text', 'json'))
    .action(async (names, options, command) => (await import('./events.ts')).events(names, options, command));
  addExample(events, 'portlight events --since 1h', 'what happened in the last hour');
  addExample(events, 'portlight events -f web', 'what happens to one container');
}

function addSetup(program: Command): void {
  const metrics = program
    .command('metrics')
    .description('what can be collected')
    .command('list', { isDefault: true })
    .description('list every metric with its group, kind, unit and whether it is on by default')
    .addOption(outputOption())
    .action(async (options) => (await import('./metrics.ts')).listMetrics(options));
  addExample(metrics, 'portlight metrics list', 'as docs/metrics.md has them');

  const config = program.command('config').description('show or check the configuration');
  const printed = addConfigFlags(
    config.command('print').description('print each value and where it came from'),
  )
    .addOption(outputOption())
    .action(async (options, command) => (await import('./config.ts')).printConfig(options, command));
  addExample(printed, 'portlight config print', 'secrets are masked');
  const validate = addConfigFlags(
    config.command('validate').description('exit with 2 and a line for each mistake when it is wrong'),
  ).action(async (options, command) => (await import('./config.ts')).validateConfig(options, command));
  addExample(validate, 'portlight config validate --config new.yaml', 'before it is put in place');
  const schema = config
    .command('schema')
    .description('print what the file can say as JSON Schema, which editors complete and check it with')
    .action(async () => (await import('./config.ts')).printSchema());
  addExample(schema, 'portlight config schema > portlight.schema.json', 'for an editor, or a pipeline');

  const completion = program
    .command('completion')
    .description('print a script that has a shell complete commands, options and containers')
    .addArgument(new Argument('<shell>', 'which shell').choices(shells))
    .action(async (shell) => (await import('./completion.ts')).completion(shell));
  addExample(completion, 'source <(portlight completion bash)', 'in ~/.bashrc');
  addExample(completion, 'source <(portlight completion zsh)', 'in ~/.zshrc, after compinit');
  addExample(completion, 'portlight completion fish > ~/.config/fish/completions/portlight.fish', 'once');
  program
    .command('complete', { hidden: true })
    .description('print what a word can be: what completion scripts ask')
    .argument('[words...]')
    .action(async (words) => (await import('./completion.ts')).complete(words, program));
}

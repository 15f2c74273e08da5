/** Shell completion in real shells. */
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { CLI, portlight } from '../support/agent.ts';
import { ensureImage, runContainer, uniqueName } from '../support/docker.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { Terminal } from '../support/terminal.ts';
import { waitFor } from '../support/wait.ts';

test.before(ensureImage);

/** A directory with a `portlight` command. */
function binDirectory(t: ExecutionContext): string {
  const directory = temporaryDirectory(t);
  const path = join(directory, 'portlight');
  writeFileSync(path, `#!/bin/sh\nexec '${process.execPath}' '${CLI}' "$@"\n`);
  chmodSync(path, 0o755);
  return directory;
}

const shells: Readonly<Record<string, { readonly start: string; readonly load: string }>> = {
  bash: { start: 'exec bash --norc --noprofile -i', load: 'source <(portlight completion bash)' },
  zsh: {
    start: 'exec zsh -f -i',
    load: 'autoload -U compinit && compinit -D && source <(portlight completion zsh)',
  },
  fish: { start: 'exec fish --no-config -i', load: 'portlight completion fish | source' },
};

for (const [shell, { start, load }] of Object.entries(shells)) {
  test(`${shell} completes commands, options, their values, and containers`, async (t) => {
    const name = uniqueName(shell);
    await runContainer(t, { name, script: 'sleep 600' });
    const home = temporaryDirectory(t);
    const variables = {
      PATH: `${binDirectory(t)}:${process.env.PATH}`,
      HOME: home,
      XDG_CONFIG_HOME: home,
      PS1: '$ ',
    };
    const terminal = await Terminal.start(t, start, { columns: 120, rows: 30, variables });
    await terminal.press(load, 'Enter');
    const completes = async (typed: string, becomes: RegExp) => {
      await terminal.press('C-u', 'C-l');
      await waitFor('an empty line', async () => !(await terminal.text()).includes('portlight '));
      await terminal.press(typed, 'Tab');
      await terminal.shows(becomes);
    };
    await completes('portlight namesp', /portlight namespaces/);
    await completes('portlight ps --out', /portlight ps --output/);
    await completes('portlight ps --output ya', /portlight ps --output yaml/);
    await completes('portlight logs --severity fa', /portlight logs --severity fatal/);
    await completes(`portlight logs -f ${name.slice(0, -3)}`, new RegExp(`portlight logs -f ${name}`));
    await completes('portlight config val', /portlight config validate/);
    t.pass();
  });
}

test('completions come from the program itself, with descriptions', async (t) => {
  const ask = async (...words: string[]) => (await portlight(t, ['complete', '--', ...words])).stdout;
  t.regex(await ask('e'), /^events\tprint events/);
  t.false((await ask('')).includes('complete\t'), 'hidden commands are not completed');
  t.regex(await ask('top', '--so'), /^--sort\t/);
  t.is(await ask('run', '--config', ''), ':files\n');
  t.is(await ask('logs', '--severity=wa'), '--severity=warn\n');
  t.is(await ask('logs', '--severity', '=', 'wa'), 'warn\n', 'as bash splits it');
  t.is(await ask('nonsense', '-x', 'y'), '');
});

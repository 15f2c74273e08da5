/**
 * `portlight completion`: shell completion scripts, which call `portlight complete`. The candidates come from the
 * program itself, so new commands and options are completed without further work.
 */

import type { Argument, Command, Option } from 'commander';
import { connectToDaemon } from '../../collectors/engine/client.ts';
import { stripControls } from '../../exporters/console/text.ts';
import { loadConfig } from '../process/load-config.ts';
import { mainEndpoint } from '../targets/endpoints.ts';
import { isVisible } from './command-help.ts';
import { print } from './output.ts';

/** How long the daemon may take to list containers, ms; the user waits for the Tab key. */
const ANSWER_MS = 1500;

/** A completion, with its description. */
interface Candidate {
  readonly word: string;
  readonly description: string;
}

const BASH = `# portlight completion for bash: source <(portlight completion bash)
_portlight() {
  local words=("\${COMP_WORDS[@]:1:COMP_CWORD}") line
  COMPREPLY=()
  while IFS= read -r line; do
    [[ -n $line ]] && COMPREPLY+=("\${line%%$'\\t'*}")
  done < <(command portlight complete -- "\${words[@]}" 2>/dev/null)
  if [[ \${#COMPREPLY[@]} -eq 1 && \${COMPREPLY[0]} == :files ]]; then
    COMPREPLY=()
    compopt -o default
  fi
}
complete -F _portlight portlight
`;

const ZSH = `#compdef portlight
# portlight completion for zsh: source <(portlight completion zsh), after compinit; or as _portlight in fpath
_portlight() {
  local -a found
  local line
  for line in "\${(@f)$(command portlight complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
    if [[ $line == :files ]]; then
      _files
      return
    fi
    [[ -n $line ]] && found+=("\${\${line%%$'\\t'*}//:/\\\\:}:\${line#*$'\\t'}")
  done
  _describe -V portlight found
}
# As a file of fpath it is called when it is loaded.
if [[ $funcstack[1] == _portlight ]]; then
  _portlight "$@"
else
  compdef _portlight portlight
fi
`;

const FISH = `# portlight completion for fish: portlight completion fish > ~/.config/fish/completions/portlight.fish
function __portlight_complete
    set -l words (commandline -opc)[2..] (commandline -ct)
    set -l found (command portlight complete -- $words 2>/dev/null)
    if test "$found" = :files
        __fish_complete_path (commandline -ct)
    else
        printf '%s\\n' $found
    end
end
complete -c portlight -f -a '(__portlight_complete)'
`;

const scripts: Readonly<Record<string, string>> = { bash: BASH, zsh: ZSH, fish: FISH };

export async function completion(shell: string): Promise<void> {
  process.stdout.write(scripts[shell]!);
}

/** Makes the shell complete file names. */
const FILES: Candidate = { word: ':files', description: '' };

const choicesOf = ({ argChoices }: Pick<Option | Argument, 'argChoices'>): Candidate[] =>
  (argChoices ?? []).map((word) => ({ word, description: '' }));

async function containers(): Promise<Candidate[]> {
  try {
    const { config } = await loadConfig();
    const docker = connectToDaemon(mainEndpoint(config));
    const abortSignal = AbortSignal.timeout(ANSWER_MS);
    const all = await docker.listContainers({ all: true, abortSignal });
    return all.map(({ Names, Image, State }) => ({
      word: Names[0]?.replace(/^\//, '') ?? '',
      description: `${State}, ${Image}`,
    }));
  } catch {
    return [];
  }
}

/** The first sentence of a description, without the variable. */
const firstSentence = (text: string): string => text.replace(/(\. | \[).*$/s, '');

/** The values of an option. */
const valuesOf = (option: Option): Candidate[] =>
  option.argChoices !== undefined
    ? choicesOf(option)
    : /<(file|directory)>/.test(option.flags)
      ? [FILES]
      : [];

function optionsOf(command: Command): Option[] {
  return command.createHelp().visibleOptions(command) as Option[];
}

async function argumentsOf(command: Command, position: number): Promise<Candidate[]> {
  const { registeredArguments } = command;
  const last = registeredArguments.at(-1);
  const argument = registeredArguments[position] ?? (last?.variadic ? last : undefined);
  if (argument === undefined) return [];
  return argument.name() === 'container' ? containers() : choicesOf(argument);
}

/** @param given the words after `portlight`; the last one is incomplete */
async function candidates(given: readonly string[], program: Command): Promise<Candidate[]> {
  // bash splits `--output=json` into three words.
  const words = given
    .map((word) => (word === '=' ? '' : word))
    .filter((word, at) => word !== '' || at === given.length - 1);
  let command = program;
  let position = 0;
  let pending: Option | undefined;
  for (const word of words.slice(0, -1)) {
    if (pending !== undefined) {
      pending = undefined;
      continue;
    }
    if (word.startsWith('-')) {
      const option = optionsOf(command).find(({ short, long }) => word === short || word === long);
      if (option !== undefined && (option.required || option.optional)) pending = option;
      continue;
    }
    const next = command.commands.find((sub) => sub.name() === word);
    if (next !== undefined) command = next;
    else position++;
  }
  const current = words.at(-1) ?? '';
  const [flag, value] = current.split('=', 2);
  if (pending !== undefined) return valuesOf(pending);
  if (flag !== undefined && value !== undefined && flag.startsWith('--')) {
    const option = optionsOf(command).find(({ long }) => long === flag);
    return (option === undefined ? [] : valuesOf(option)).map(({ word, description }) => ({
      word: `${flag}=${word}`,
      description,
    }));
  }
  if (current.startsWith('-'))
    return optionsOf(command).map(({ long, short, description }) => ({
      word: long ?? short ?? '',
      description: firstSentence(description),
    }));
  const commands = command.commands.filter(isVisible).map((sub) => ({
    word: sub.name(),
    description: sub.description(),
  }));
  return commands.length > 0 ? commands : argumentsOf(command, position);
}

/** Prints a line for each completion of the last word: the word, a tab, and its description. */
export async function complete(words: readonly string[], program: Command): Promise<void> {
  const current = (words.at(-1) ?? '').replace(/^=$/, '');
  const found = await candidates(words, program);
  for (const { word, description } of found)
    if (word === FILES.word || word.startsWith(current))
      print(`${stripControls(word)}\t${stripControls(description)}`.trimEnd());
}

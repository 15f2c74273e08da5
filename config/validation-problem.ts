/** Messages for values that the schema rejects: where the value is from, what it is, and what is allowed. */
import { findNearest, formatInvalidValue, formatSuggestion } from './invalid-value.ts';
import { optionMetadata } from './option.ts';
import { namedOptions, type Option, options } from './schema.ts';
import type { ResolvedSetting, Settings } from './setting.ts';

const byPath = new Map(options.map((option) => [option.path, option]));

/** Flags and variables name their option themselves; a file or `default` does not. */
const namesOption = (origin: string): boolean => origin.startsWith('--') || /^[A-Z_]+$/.test(origin);

/** Prefixes a problem that starts with an option's path with the origin of the option's value. */
export function withOrigin(problem: string, settings: Settings): string {
  const [path = ''] = problem.split(':');
  const origin = (settings.get(path) ?? settings.get(path.split('.')[0]!))?.origin;
  if (origin === undefined) return problem;
  return namesOption(origin) ? problem.replace(path, origin) : `${origin}: ${problem}`;
}

function formatProblem(option: Option, { value, origin }: ResolvedSetting): string {
  const place = namesOption(origin) ? origin : `${origin}: ${option.path}`;
  return `${place}: ${formatInvalidValue(value, option)}`;
}

/**
 * A problem inside `daemons`, `destinations` or `alerts.webhooks`. @param keys the name, and the keys below
 * it
 */
function formatNamedProblem(
  { path, ...metadata }: Option,
  keys: readonly string[],
  { value, origin }: ResolvedSetting,
): string {
  const [name = '', ...below] = keys;
  let place = `${origin}: ${path}.${name}`;
  let entries = namedOptions[path]!.entries;
  let inner = (value as Record<string, unknown> | undefined)?.[name];
  for (const key of below) {
    place += `.${key}`;
    inner = (inner as Record<string, unknown> | undefined)?.[key];
    const leaf = entries[key];
    if (leaf === undefined)
      return `${place}: is not a known key${formatSuggestion(findNearest(key, Object.keys(entries)))}`;
    const group = 'wrapped' in leaf ? (leaf.wrapped as { entries?: typeof entries }).entries : undefined;
    if (group === undefined) {
      const leafMetadata = optionMetadata(leaf);
      if (inner === undefined) return `${place}: is required; expected ${leafMetadata.allowed}`;
      return `${place}: ${formatInvalidValue(inner, leafMetadata)}`;
    }
    entries = group;
  }
  return `${place}: ${formatInvalidValue(below.length === 0 ? name : inner, metadata)}`;
}

/**
 * The option that an issue is about: its path can lead into the option's value, such as an item of a list.
 */
function findOption(keys: readonly string[]): Option {
  for (let length = keys.length; length > 0; length--) {
    const option = byPath.get(keys.slice(0, length).join('.'));
    if (option !== undefined) return option;
  }
  throw new Error(`no option at ${keys.join('.')}`);
}

interface Issue {
  readonly path?: readonly { readonly key: unknown }[] | undefined;
}

/** One line for each option and problem. */
export function formatIssues(issues: readonly Issue[], settings: Settings): ReadonlySet<string> {
  return new Set(
    issues.map((issue) => {
      const keys = issue.path?.map(({ key }) => String(key)) ?? [];
      const option = findOption(keys);
      const setting = settings.get(option.path)!;
      const below = keys.slice(option.path.split('.').length);
      const isInside = option.path in namedOptions && below.length > 0;
      return isInside ? formatNamedProblem(option, below, setting) : formatProblem(option, setting);
    }),
  );
}

import { readFileSync } from 'node:fs';
import type { Environment } from '../collectors/shared/environment.ts';
import { findNearest, formatSuggestion } from './invalid-value.ts';
import { formatMasked } from './mask-secrets.ts';
import { options } from './schema.ts';
import type { Settings } from './setting.ts';
import { hasVariables, substituteVariables } from './template.ts';

const paths = new Set(options.map(({ path }) => path));

/** Nested keys as dotted paths. Unknown keys are kept whole. */
function flatten(value: object, prefix: string, into: Map<string, unknown>): void {
  for (const [key, child] of Object.entries(value)) {
    const path = prefix + key;
    const isGroup = options.some((option) => option.path.startsWith(`${path}.`));
    if (isGroup && child !== null && typeof child === 'object' && !Array.isArray(child))
      flatten(child, `${path}.`, into);
    else if (!isGroup || child !== null) into.set(path, child);
  }
}

function formatUnknownKey(key: string, value: unknown): string {
  const below = options
    .filter(({ path }) => path.startsWith(`${key}.`))
    .map(({ path }) => path.slice(key.length + 1));
  if (below.length === 0) return `${key}: is not a known key${formatSuggestion(findNearest(key, paths))}`;
  return `${key}: ${formatMasked(value)} is not allowed; expected keys below it: ${below.join(', ')}`;
}

/**
 * Replaces variables in all texts of a value. A key whose text becomes empty counts as not set.
 * @param path of the value, for messages
 */
function substituteAll(value: unknown, path: string, env: Environment, problems: string[]): unknown {
  if (typeof value === 'string') {
    if (!hasVariables(value)) return value;
    try {
      return substituteVariables(value, env) || undefined;
    } catch (error) {
      problems.push(`${path}: ${(error as Error).message}`);
      return undefined;
    }
  }
  if (value === null || typeof value !== 'object') return value;
  if (Array.isArray(value))
    return value.map((item, index) => substituteAll(item, `${path}[${index}]`, env, problems) ?? '');
  const entries = Object.entries(value).map(([key, inner]) => [
    key,
    substituteAll(inner, path === '' ? key : `${path}.${key}`, env, problems),
  ]);
  return Object.fromEntries(entries.filter(([, inner]) => inner !== undefined));
}

/** Reads a YAML file into the settings. Problems start with the file's path. */
export async function readConfigFile(
  file: string,
  env: Environment,
  settings: Settings,
  problems: string[],
): Promise<void> {
  let source: string;
  try {
    source = readFileSync(file, 'utf8');
  } catch (error) {
    problems.push(`${file}: cannot be read: ${(error as Error).message}`);
    return;
  }
  // Loaded only when there is a file: the parser takes memory.
  const { isNode, LineCounter, parseDocument } = await import('yaml');
  const lineCounter = new LineCounter();
  const document = parseDocument(source, { prettyErrors: true, lineCounter });
  if (document.errors.length > 0) {
    for (const { message } of document.errors)
      problems.push(`${file}: not YAML: ${message.split('\n')[0]!.replace(/:$/, '')}`);
    return;
  }
  let content: unknown;
  try {
    content = document.toJS();
  } catch (error) {
    problems.push(`${file}: not YAML: ${(error as Error).message}`);
    return;
  }
  if (content === null) return;
  if (typeof content !== 'object' || Array.isArray(content)) {
    problems.push(`${file}: expected keys and values, such as "interval: 10s"`);
    return;
  }
  const variableProblems: string[] = [];
  const values = substituteAll(content, '', env, variableProblems);
  if (variableProblems.length > 0) {
    problems.push(...variableProblems.map((problem) => `${file}: ${problem}`));
    return;
  }
  const flat = new Map<string, unknown>();
  flatten(values as object, '', flat);
  for (const [path, value] of flat) {
    const findLine = (keys: readonly (string | number)[]) => {
      const node = document.getIn([...path.split('.'), ...keys], true);
      return isNode(node) && node.range ? lineCounter.linePos(node.range[0]).line : undefined;
    };
    if (paths.has(path)) settings.set(path, { value, origin: file, findLine });
    else problems.push(`${file}: ${formatUnknownKey(path, value)}`);
  }
}

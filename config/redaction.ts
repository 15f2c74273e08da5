/** Redaction rules: the name of a preset, or a pattern with its replacement. */
import { isPattern } from './pattern.ts';

export const redactionNames = ['bearer', 'url_password', 'password', 'email', 'card'] as const;
export type RedactionName = (typeof redactionNames)[number];

export type RedactionRule =
  | { readonly preset: RedactionName }
  | { readonly source: string; readonly replacement: string };

/** `/pattern/replacement/`, both without unescaped slashes. */
const CUSTOM = /^\/((?:[^/\\]|\\.)+)\/((?:[^/\\]|\\.)*)\/$/;

/** Parses a redaction rule; undefined for text that is neither a preset's name nor a valid `/pattern/replacement/`. */
export function parseRedaction(text: string): RedactionRule | undefined {
  const preset = redactionNames.find((name) => name === text);
  if (preset !== undefined) return { preset };
  const [, source, replacement = ''] = CUSTOM.exec(text) ?? [];
  if (source === undefined || !isPattern(source)) return undefined;
  return { source, replacement: replacement.replaceAll('\\/', '/') };
}

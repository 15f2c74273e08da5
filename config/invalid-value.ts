/** How it is told that something in the configuration is wrong, without telling what is secret. */
import { distance } from 'fastest-levenshtein';
import type { OptionMetadata } from './option.ts';

/** Stands for what nobody may see. */
export const MASK = '********';

/** As it is shown to whoever asks: without headers, and without what stands before the @ of a URL. */
export const maskSecrets = (value: unknown): unknown =>
  JSON.parse(
    JSON.stringify(value, (key, inner) => {
      if (key === 'headers') return MASK;
      // Chats have their secret in the path.
      if (key === 'url' && URL.canParse(inner)) return `${new URL(inner).origin}/${MASK}`;
      if (typeof inner !== 'string') return inner;
      const named = inner.replace(/\/\/[^/@\s]*@/g, `//${MASK}@`);
      return named.replace(/^(https?:\/\/[^?\s]*\?)\S+/, `$1${MASK}`);
    }) ?? 'null',
  );

export const formatMasked = (value: unknown): string => JSON.stringify(maskSecrets(value));

/** The known name that is most alike, when it is alike enough to be a slip. */
export function findNearest(name: string, known: Iterable<string>): string | undefined {
  let best: string | undefined;
  let least = Math.max(2, Math.floor(name.length / 3)) + 1;
  for (const candidate of known) {
    const edits = distance(name, candidate);
    if (edits < least) {
      least = edits;
      best = candidate;
    }
  }
  return best;
}

export const formatSuggestion = (near: string | undefined): string =>
  near === undefined ? '' : `; did you mean ${near}?`;

/** What is wrong with a value. @param facts of the option */
export function formatInvalidValue(
  value: unknown,
  { secret, values, choices, allowed }: OptionMetadata,
): string {
  const shown = secret ? 'the value' : formatMasked(value);
  const candidates = values ?? choices;
  const items = String(value)
    .split(',')
    .map((item) => item.trim());
  const wrong = items.find((item) => !candidates?.some((candidate) => candidate === item)) ?? '';
  const near = candidates === undefined ? undefined : findNearest(wrong, candidates);
  return `${shown} is not allowed; expected ${allowed}${formatSuggestion(near)}`;
}

/** Error messages for invalid values: the value, what is allowed, and the nearest known name. */
import { distance } from 'fastest-levenshtein';
import { formatMasked } from './mask-secrets.ts';
import type { OptionMetadata } from './option.ts';

/** The most similar known name; undefined where none is similar enough to be a typing error. */
export function findNearest(name: string, known: Iterable<string>): string | undefined {
  let nearest: string | undefined;
  let fewest = Math.max(2, Math.floor(name.length / 3)) + 1;
  for (const candidate of known) {
    const edits = distance(name, candidate);
    if (edits < fewest) {
      fewest = edits;
      nearest = candidate;
    }
  }
  return nearest;
}

export const formatSuggestion = (nearest: string | undefined): string =>
  nearest === undefined ? '' : `; did you mean ${nearest}?`;

export function formatInvalidValue(
  value: unknown,
  { secret, values, choices, allowed }: OptionMetadata,
): string {
  const shown = secret ? 'the value' : formatMasked(value);
  const candidates = values ?? choices;
  const items = String(value)
    .split(',')
    .map((item) => item.trim());
  const invalid = items.find((item) => !candidates?.some((candidate) => candidate === item)) ?? '';
  const nearest = candidates === undefined ? undefined : findNearest(invalid, candidates);
  return `${shown} is not allowed; expected ${allowed}${formatSuggestion(nearest)}`;
}

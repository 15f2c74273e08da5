const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** A number with its unit. */
export const DURATION = /^\s*(\d+(?:\.\d+)?)(ms|s|m|h)\s*$/;

/** `1.5s` → 1500 ms; NaN for anything that is not a number with a unit. */
export function parseDuration(text: string): number {
  const match = DURATION.exec(text);
  return match === null ? Number.NaN : Number(match[1]) * UNITS[match[2]!]!;
}

const UNITS: Readonly<Record<string, number>> = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 };

/** A number with its unit. */
export const SIZE = /^\s*(\d+(?:\.\d+)?)(B|KiB|MiB|GiB)\s*$/;

/** `64KiB` → 65536 bytes; NaN for anything that is not a number with a unit. */
export function parseSize(text: string): number {
  const match = SIZE.exec(text);
  return match === null ? Number.NaN : Math.round(Number(match[1]) * UNITS[match[2]!]!);
}

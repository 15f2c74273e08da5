const UNITS: Readonly<Record<string, number>> = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 };

/** `64KiB` → 65536 bytes; NaN for anything that is not a number with a unit. */
export function parseSize(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(B|KiB|MiB|GiB)$/.exec(text.trim());
  return match === null ? Number.NaN : Math.round(Number(match[1]) * UNITS[match[2]!]!);
}

/** Parsers of /proc files that several collectors read. */

/** Bytes by key, from the text of /proc/meminfo. */
export function parseMeminfo(text: string): Map<string, number> {
  return new Map(
    [...text.matchAll(/^(\w+):\s+(\d+) kB$/gm)].map(([, key = '', kilobytes]) => [
      key,
      Number(kilobytes) * 1024,
    ]),
  );
}

export interface InterfaceCounters {
  readonly name: string;
  readonly values: readonly number[];
}

/**
 * The interfaces in the text of a /proc/net/dev, without the loopback. Counters are in the kernel's order.
 */
export function parseNetDev(text: string): InterfaceCounters[] {
  const interfaces: InterfaceCounters[] = [];
  for (const line of text.split('\n')) {
    const colon = line.indexOf(':');
    if (colon === -1) continue;
    const name = line.slice(0, colon).trim();
    if (name === 'lo') continue;
    const values =
      line
        .slice(colon + 1)
        .match(/\d+/g)
        ?.map(Number) ?? [];
    if (values.length >= 12) interfaces.push({ name, values });
  }
  return interfaces;
}

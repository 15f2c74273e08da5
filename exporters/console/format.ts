/** Formats numbers for people. */

const BYTE_UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** `67108864` → `64 MiB`; absent → `-`. */
export function formatBytes(value: number | undefined): string {
  if (value === undefined) return '-';
  let scaled = value;
  let unit = 0;
  while (scaled >= 1024 && unit < BYTE_UNITS.length - 1) {
    scaled /= 1024;
    unit++;
  }
  return `${unit === 0 || scaled >= 100 ? Math.round(scaled) : Number(scaled.toFixed(1))} ${BYTE_UNITS[unit]}`;
}

/** `0.4949` → `49.5 %`; absent → `-`. */
export function formatPercent(ratio: number | undefined): string {
  return ratio === undefined ? '-' : `${(ratio * 100).toFixed(1)} %`;
}

/** `3725` seconds → `1h 2m`. */
export function formatDuration(seconds: number): string {
  const units: [string, number][] = [
    ['d', 86_400],
    ['h', 3600],
    ['m', 60],
    ['s', 1],
  ];
  const first = units.findIndex(([, size]) => seconds >= size);
  if (first === -1) return '0s';
  let rest = Math.floor(seconds);
  return (
    units
      .slice(first, first + 2)
      .map(([name, size]) => {
        const count = Math.floor(rest / size);
        rest -= count * size;
        return count === 0 && size !== 1 ? '' : `${count}${name}`;
      })
      .filter((part) => part !== '' && part !== '0s')
      .join(' ') || '0s'
  );
}

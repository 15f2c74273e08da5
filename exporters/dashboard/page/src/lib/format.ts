/** Formatting of values for people. */

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const;
const NONE = '–';

/** Three significant digits. */
const digits = (value: number): string =>
  value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);

/** `67108864` → `64.0 MiB` */
export function bytes(value: number | null | undefined): string {
  if (value === null || value === undefined) return NONE;
  let scaled = value;
  let unit = 0;
  for (; scaled >= 1000 && unit < UNITS.length - 1; unit++) scaled /= 1024;
  return `${unit === 0 ? Math.round(scaled) : digits(scaled)} ${UNITS[unit]}`;
}

export const rate = (value: number | null | undefined): string =>
  value === null || value === undefined ? NONE : value < 1 ? '0 B/s' : `${bytes(value)}/s`;

/** CPUs: `0.032`, `1.50` */
export const cpus = (value: number | null | undefined): string =>
  value === null || value === undefined ? NONE : value < 0.1 ? value.toFixed(3) : digits(value);

/** A share; 1 is 100 %. */
export const percent = (value: number | null | undefined): string =>
  value === null || value === undefined
    ? NONE
    : `${value >= 0.0995 ? (value * 100).toFixed(0) : (value * 100).toFixed(1)} %`;

export const count = (value: number | null | undefined): string =>
  value === null || value === undefined ? NONE : value.toLocaleString('en-US');

/** Milliseconds: `3 d 4 h`, `12 min`, `8 s` */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
  const days = Math.floor(hours / 24);
  return hours % 24 === 0 ? `${days} d` : `${days} d ${hours % 24} h`;
}

const two = (value: number): string => String(value).padStart(2, '0');

/** `14:03:07` in local time */
export function clock(time: number): string {
  const date = new Date(time);
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** `14:03:07.123` */
export const exactClock = (time: number): string =>
  `${clock(time)}.${String(Math.floor(time) % 1000).padStart(3, '0')}`;

export const moment = (time: number | null): string =>
  time === null
    ? NONE
    : new Date(time).toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'medium' });

/** A value with its UCUM unit. */
export function inUnit(value: number, unit: string): string {
  if (unit === 'By') return bytes(value);
  if (unit === 's') return value < 1 ? `${(value * 1000).toFixed(0)} ms` : `${digits(value)} s`;
  if (unit === '1') return percent(value);
  return Number.isInteger(value) ? count(value) : digits(value);
}

export type Level = 'error' | 'warn' | 'info' | 'debug' | 'none';

/** The level of an OpenTelemetry severity number. */
export function levelOf(severity: number): Level {
  if (severity >= 17) return 'error';
  if (severity >= 13) return 'warn';
  if (severity >= 9) return 'info';
  return severity > 0 ? 'debug' : 'none';
}

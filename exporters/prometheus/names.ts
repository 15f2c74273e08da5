/**
 * OpenTelemetry names → Prometheus names.
 * Source: https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/
 */
import type { Metric } from '../../collectors/records/records.ts';

/** Suffixes of UCUM units. A unit in braces is an annotation and has none. */
const UNITS: Readonly<Record<string, string>> = {
  s: 'seconds',
  By: 'bytes',
  us: 'microseconds',
  ns: 'nanoseconds',
};

/** Replaces all characters but letters, digits and underscores. A name must not start with a digit. */
export const sanitize = (name: string): string =>
  name.replaceAll(/[^a-zA-Z0-9_]/g, '_').replace(/^(\d)/, '_$1');

/** The family's name without `_total`, and its unit. */
export function familyName({ name, unit, kind }: Pick<Metric, 'name' | 'unit' | 'kind'>): {
  name: string;
  unit: string;
} {
  const suffix = UNITS[unit] ?? (unit === '1' && kind === 'gauge' ? 'ratio' : '');
  // Prometheus reserves the suffix `_count` for histograms.
  const base = sanitize(name).replace(kind === 'counter' ? /_total$/ : /_(total|count)$/, '');
  return { name: suffix === '' || base.endsWith(`_${suffix}`) ? base : `${base}_${suffix}`, unit: suffix };
}

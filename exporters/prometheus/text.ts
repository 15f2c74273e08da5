/**
 * Metric families as text, in the Prometheus format 0.0.4 or OpenMetrics 1.0.
 * Source: https://prometheus.io/docs/instrumenting/exposition_formats/ and
 * https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md
 */

export type FamilyType = 'counter' | 'gauge' | 'info';

export interface Family {
  /** Without the suffix `_total` or `_info` of its samples. */
  readonly name: string;
  readonly type: FamilyType;
  readonly unit: string;
  readonly help: string;
  /** Labels as the text between the braces, and the value. */
  readonly samples: { readonly labels: string; readonly value: number }[];
}

export type Format = 'prometheus' | 'openmetrics';

export const contentTypes: Readonly<Record<Format, string>> = {
  prometheus: 'text/plain; version=0.0.4; charset=utf-8',
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
};

/** The format that an Accept header prefers. */
export function negotiate(accept: string | undefined): Format {
  return accept?.includes('application/openmetrics-text') ? 'openmetrics' : 'prometheus';
}

export const escapeLabel = (value: string): string =>
  value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');

const SUFFIX: Readonly<Record<FamilyType, string>> = { counter: '_total', gauge: '', info: '_info' };

export function render(families: Iterable<Family>, format: Format): string {
  const lines: string[] = [];
  for (const { name, type, unit, help, samples } of families) {
    const sample = name + SUFFIX[type];
    // OpenMetrics describes the family, the older format the sample. The older format has no type info.
    const described = format === 'openmetrics' ? name : sample;
    lines.push(`# HELP ${described} ${help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}`);
    lines.push(`# TYPE ${described} ${type === 'info' && format === 'prometheus' ? 'gauge' : type}`);
    if (format === 'openmetrics' && unit !== '') lines.push(`# UNIT ${described} ${unit}`);
    for (const { labels, value } of samples)
      lines.push(labels === '' ? `${sample} ${value}` : `${sample}{${labels}} ${value}`);
  }
  if (format === 'openmetrics') lines.push('# EOF');
  return `${lines.join('\n')}\n`;
}

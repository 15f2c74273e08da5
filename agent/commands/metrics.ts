/** `portlight metrics list`: the metric catalogue. */

import { metrics } from '../../collectors/catalogue/index.ts';
import { attributeKeys, sources } from '../../collectors/catalogue/reference.ts';
import { prometheusName } from '../../exporters/prometheus/index.ts';
import { printAs, printTable } from './output.ts';

export async function listMetrics({ output }: { output: string }): Promise<void> {
  const rows = metrics.filter(({ dialectOnly }) => !dialectOnly);
  const facts = rows.map((row) => ({
    name: row.name,
    group: row.group,
    kind: row.kind,
    unit: row.unit,
    description: row.description,
    default: !row.optIn,
    attributes: attributeKeys(row),
    sources: sources(row),
    prometheus: prometheusName(row),
    docker_stats: row.dockerStats.map(({ name }) => name),
    cadvisor: row.cadvisor.map(({ name }) => name),
  }));
  const cells = rows.map((row) => [
    row.name,
    row.group,
    row.optIn ? 'no' : 'yes',
    row.kind,
    row.unit,
    row.description,
  ]);
  const head = ['NAME', 'GROUP', 'DEFAULT', 'KIND', 'UNIT', 'DESCRIPTION'];
  await printAs(output, facts, () => printTable({ head, rows: cells }));
}

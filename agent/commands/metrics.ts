/** `portlight metrics list`: the catalogue. */

import { table } from '../../exporters/console/table.ts';
import { prometheusNameOf } from '../../exporters/prometheus/index.ts';
import { metrics } from '../catalogue/index.ts';
import { attributeKeys, sources } from '../catalogue/reference.ts';

export async function listMetrics({ output }: { output: string }): Promise<void> {
  const rows = metrics.filter(({ dialectOnly }) => !dialectOnly);
  if (output === 'json') {
    const facts = rows.map((row) => ({
      name: row.name,
      group: row.group,
      kind: row.kind,
      unit: row.unit,
      description: row.description,
      default: !row.optIn,
      attributes: attributeKeys(row),
      sources: sources(row),
      prometheus: prometheusNameOf(row),
      docker_stats: row.dockerStats.map(({ name }) => name),
      cadvisor: row.cadvisor.map(({ name }) => name),
    }));
    console.log(JSON.stringify(facts, null, 2));
    return;
  }
  const cells = rows.map((row) => [
    row.name,
    row.group,
    row.optIn ? 'no' : 'yes',
    row.kind,
    row.unit,
    row.description,
  ]);
  console.log(table(['NAME', 'GROUP', 'DEFAULT', 'KIND', 'UNIT', 'WHAT'], cells).join('\n'));
}

/** The catalogue as documentation: the table of `portlight metrics list` and the page docs/metrics.md. */
import { type CatalogueEntry, type Field, groups, type Reading, type TableReading } from './entry.ts';
import { metrics } from './index.ts';

const TITLES: Readonly<Record<string, string>> = {
  cpu: 'CPU',
  memory: 'Memory',
  pids: 'Processes and threads (pids), freezer',
  disk: 'Block I/O',
  network: 'Network',
  process: 'Number of processes',
  pressure: 'Pressure (PSI)',
  hugetlb: 'Huge pages',
  rdma: 'RDMA',
  misc: 'Misc',
  state: 'State',
  log: 'Logs',
  namespace: 'Namespaces',
  filesystem: 'File system',
  daemon: 'Docker daemon',
  host: 'Host',
};

function formatField({ file, location }: Field): string {
  switch (location.at) {
    case 'value':
    case 'list':
    case 'text':
      return file;
    case 'key':
      return `${file}: ${location.key}`;
    case 'position':
      return `${file}: field ${location.position + 1}`;
    case 'pair':
      return `${file}: ${location.line} ${location.key}`;
  }
}

const tableOf = ({ file, column }: TableReading): string => (column === '' ? file : `${file}: ${column}`);

const distinct = (texts: readonly string[]): string => [...new Set(texts)].join(', ');

const sourcesOf = (readings: readonly Reading[]): string[] =>
  readings.flatMap(({ fields }) => fields.map(formatField));

/** Controllers of cgroup v1 only: a table of theirs is a file of v1. */
const V1_CONTROLLERS = new Set(['blkio', 'cpuacct']);

/**
 * Where the value is read on cgroup v1 and v2: the same text twice for metrics that are not from cgroup
 * files.
 */
export function sources(row: CatalogueEntry): { v1: string; v2: string } {
  if (row.source !== undefined) return { v1: row.source, v2: row.source };
  const isV1 = ({ controller, file }: TableReading) =>
    V1_CONTROLLERS.has(controller) || file.endsWith('_in_bytes');
  return {
    v1: distinct([...sourcesOf(row.v1), ...row.tables.filter(isV1).map(tableOf)]),
    v2: distinct([...sourcesOf(row.v2), ...row.tables.filter((table) => !isV1(table)).map(tableOf)]),
  };
}

/** Keys of the attributes of a metric's points. */
export function attributeKeys({ v1, v2, tables }: CatalogueEntry): string[] {
  const readings = [...v1, ...v2, ...tables].flatMap(({ attributes = {} }) => Object.keys(attributes));
  return [...new Set(readings)];
}

const names = (list: readonly { name: string }[]): string => distinct(list.map(({ name }) => `\`${name}\``));

/** The text of docs/metrics.md. */
export function referencePage(): string {
  const sections = groups.map((group) => {
    const rows = metrics.filter((row) => row.group === group);
    const lines = rows.map((row) => {
      const { v1, v2 } = sources(row);
      const name = row.dialectOnly ? '(dialects only)' : `\`${row.name}\`${row.optIn ? ' (opt-in)' : ''}`;
      return `| ${[name, row.kind, row.unit, row.description, v1, v1 === v2 ? '' : v2, names(row.dockerStats), names(row.cadvisor)].join(' | ')} |`;
    });
    return [
      `## ${TITLES[group]}`,
      '',
      '| metric | kind | unit | description | source (cgroup v1) | source (cgroup v2, if different) | docker_stats | cAdvisor |',
      '| --- | --- | --- | --- | --- | --- | --- | --- |',
      ...lines,
      '',
    ].join('\n');
  });
  return [
    '# Metrics',
    '',
    'Generated from the catalogue (`collectors/catalogue/`) by `npm run docs`.',
    '',
    'A metric that cannot be measured is absent, never 0: its file is missing, its controller is not mounted, or its limit',
    'is not set. To enable opt-in metrics, use `metrics.enable`. To disable any metric, use `metrics.disable`. Both take',
    'names, groups and patterns:',
    '',
    '```yaml',
    'metrics:',
    '  enable: [container.process.state, hugetlb]',
    '  disable: [pressure]',
    '```',
    '',
    'Counters start when the container was started.',
    '',
    '## Metric names',
    '',
    '| where | names |',
    '| --- | --- |',
    '| OTLP | the column `metric`; with `otlp.metric_names: docker_stats`, the column `docker_stats` |',
    '| `/metrics` | the column `metric`, in Prometheus format |',
    '| `/metrics/cadvisor` | the column `cAdvisor` |',
    '',
    ...sections,
  ].join('\n');
}

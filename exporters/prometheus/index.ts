import type { CatalogueEntry } from '../../collectors/catalogue/entry.ts';
import type { MetricSet } from '../../collectors/records/points.ts';
import type { Attributes, AttributeValue, Metric, MetricKind } from '../../collectors/records/records.ts';
import type { Batch } from '../shared/batch.ts';
import { Translator } from '../shared/dialect.ts';
import type { Exporter } from '../shared/exporter.ts';
import {
  type MetricSeries,
  type OwnGauge,
  type OwnMetric,
  ownGauges,
  ownMetrics,
  type Telemetry,
} from '../shared/telemetry.ts';
import { familyName, sanitize } from './names.ts';
import { contentTypes, escapeLabel, type Family, type Format, negotiate, render } from './text.ts';

/** Labels that cAdvisor's dashboards group by. They are always exported. */
const KNOWN_LABELS = /^com\.docker\.(compose|stack|swarm)\./;

const text = (value: AttributeValue): string => (Array.isArray(value) ? value.join(',') : String(value));

/** `a="1",b="2"`. If two names are the same after sanitizing, the last value counts. */
function labelsOf(...all: Attributes[]): string {
  const labels = new Map<string, string>();
  for (const attributes of all) {
    for (const [key, value] of Object.entries(attributes)) labels.set(sanitize(key), text(value));
  }
  return [...labels].map(([name, value]) => `${name}="${escapeLabel(value)}"`).join(',');
}

type Naming = (metric: Metric) => { name: string; unit: string };
/** Labels that identify the subject of a set. */
type Identity = (set: MetricSet) => Attributes;

function collectFamilies(
  sets: readonly MetricSet[],
  naming: Naming,
  identity: Identity,
): Map<string, Family> {
  const found = new Map<string, Family>();
  for (const set of sets) {
    const about = identity(set);
    for (const { metric, attributes = {}, value } of set.points) {
      if (metric.dialectOnly) continue;
      const { name, unit } = naming(metric);
      let family = found.get(name);
      if (family === undefined) {
        const type = metric.kind === 'counter' ? 'counter' : 'gauge';
        family = { name, type, unit, help: metric.description, samples: [] };
        found.set(name, family);
      }
      family.samples.push({ labels: labelsOf(about, attributes), value });
    }
  }
  return found;
}

const NO_LABELS: Attributes = {};

/** The daemon that the set is from, where it has a name. */
function daemonIdentity({ resource }: MetricSet): Attributes {
  const name = resource.attributes['docker.daemon.name'];
  return name === undefined ? NO_LABELS : { docker_daemon_name: name };
}

const containerIdentity: Identity = (set) =>
  set.container === undefined
    ? daemonIdentity(set)
    : { container_id: set.container.id, container_name: set.container.name, ...daemonIdentity(set) };

const cadvisorIdentity: Identity = (set) => {
  const { container } = set;
  if (container === undefined) return daemonIdentity(set);
  const labels = Object.entries(container.labels).filter(([key]) => KNOWN_LABELS.test(key));
  const allowed = Object.entries(container.resource.attributes)
    .filter(([key]) => key.startsWith('container.label.'))
    .map(([key, value]) => [key.slice('container.label.'.length), text(value)] as const);
  return {
    id: container.cgroupPath ?? '',
    name: container.name,
    image: container.image,
    ...daemonIdentity(set),
    ...Object.fromEntries(
      [...labels, ...allowed].map(([key, value]) => [`container_label_${sanitize(key)}`, value]),
    ),
  };
};

/** cAdvisor's names already are Prometheus names. */
const cadvisorNaming: Naming = ({ name }) => ({ name: name.replace(/_total$/, ''), unit: '' });

export interface ScrapeResponse {
  readonly contentType: string;
  readonly body: string;
}

/**
 * The scrape endpoint: the last round with OpenTelemetry's names at /metrics, and with cAdvisor's at
 * /metrics/cadvisor. The text is rendered for each request, and costs nothing in between.
 */
export class PrometheusExporter implements Exporter {
  readonly name = 'prometheus';
  private readonly telemetry: Telemetry;
  private readonly cadvisor = new Translator('cadvisor');
  private lastRound: readonly MetricSet[] = [];
  /** The sets of the round that is being exported. */
  private currentRound: MetricSet[] = [];

  async export(batch: Batch): Promise<void> {
    if (batch.signal !== 'metrics') return;
    this.currentRound.push(...batch.sets);
    if (!batch.isLast) return;
    this.lastRound = this.currentRound;
    this.currentRound = [];
  }

  async shutdown(): Promise<void> {}

  /** @param telemetry the agent's own metrics, which are part of /metrics */
  constructor(telemetry: Telemetry) {
    this.telemetry = telemetry;
  }

  /** /metrics, in the format that the Accept header prefers. */
  metrics(accept: string | undefined): ScrapeResponse {
    const found = collectFamilies(this.lastRound, familyName, containerIdentity);
    found.set('target', {
      name: 'target',
      type: 'info',
      unit: '',
      help: 'Resource attributes',
      samples: this.lastRound.map((set) => ({
        labels: labelsOf(containerIdentity(set), set.resource.attributes),
        value: 1,
      })),
    });
    return this.render([...found.values(), ...this.agentFamilies()], negotiate(accept));
  }

  /** /metrics/cadvisor, in the format that the Accept header prefers. */
  cadvisorMetrics(accept: string | undefined): ScrapeResponse {
    // cAdvisor exports running containers only.
    const running = this.lastRound.filter(({ container }) => container === undefined || container.pid !== 0);
    const sets = running.map((set) => this.cadvisor.translate(set));
    return this.render(collectFamilies(sets, cadvisorNaming, cadvisorIdentity).values(), negotiate(accept));
  }

  private agentFamilies(): Family[] {
    const family = (
      name: string,
      [unit, help]: readonly [string, string],
      kind: MetricKind,
      all: Iterable<MetricSeries>,
    ) => ({
      ...familyName({ name, unit, kind }),
      type: kind === 'counter' ? ('counter' as const) : ('gauge' as const),
      help,
      samples: [...all].map(({ attributes, value }) => ({ labels: labelsOf(attributes), value })),
    });
    const { telemetry } = this;
    return [
      ...Object.entries(ownMetrics).map(([name, facts]) =>
        family(name, facts, 'counter', telemetry.counterSeries(name as OwnMetric)),
      ),
      ...Object.entries(ownGauges).map(([name, facts]) =>
        family(name, facts, 'gauge', telemetry.gaugeSeries(name as OwnGauge)),
      ),
    ].filter(({ samples }) => samples.length > 0);
  }

  private render(found: Iterable<Family>, format: Format): ScrapeResponse {
    return { contentType: contentTypes[format], body: render(found, format) };
  }
}

/** The name of a catalogue row at /metrics, for the documentation. */
export const prometheusName = (row: CatalogueEntry): string =>
  `${familyName(row).name}${row.kind === 'counter' ? '_total' : ''}`;

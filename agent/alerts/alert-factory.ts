/** Builds the alerts that receivers see: values, evidence, labels and texts. */
import type { Attributes, Resource } from '../../collectors/records/records.ts';
import type { Alert, AlertEvidence, MeasuredSeries } from '../../exporters/alerts/alert.ts';
import { createTemplateView, renderTemplate } from '../../exporters/alerts/text.ts';
import type { CompiledExpression, SampleViews } from './expression.ts';
import type { Rule } from './rule.ts';

/** What is known of a container besides the values of the rule: its log, its events, its memory. */
export type ContainerEvidence = Omit<AlertEvidence, keyof MeasuredSeries>;

/** What the rule measured. */
export type Figures = Pick<Alert, 'value' | 'limit' | 'threshold'>;

export const NO_SERIES: MeasuredSeries = { series: [], seriesUnit: '', seriesBound: undefined };

const NO_EVIDENCE: ContainerEvidence = { log: [], events: [], memory: {} };

const nanoseconds = (ms: number): bigint => BigInt(Math.round(ms)) * 1_000_000n;

const containerOf = ({ subject }: Resource, id: string | undefined): Alert['container'] =>
  subject === undefined || id === undefined ? undefined : { id, name: subject.name, image: subject.image };

export interface AlertFactoryOptions {
  /** Labels of every alert. */
  readonly labels: Readonly<Record<string, string>>;
  readonly evidenceOf: (containerId: string) => ContainerEvidence;
  /** Time since the epoch, ms. */
  readonly epochMs: () => number;
}

export class AlertFactory {
  private readonly options: AlertFactoryOptions;

  constructor(options: AlertFactoryOptions) {
    this.options = options;
  }

  /** A pending alert. @param containerId '' for the host */
  create(rule: Rule, resource: Resource, containerId: string, figures: Figures): Alert {
    const alert: Alert = {
      key: `${rule.name}/${containerId}`,
      rule: rule.name,
      severity: rule.severity,
      status: 'pending',
      startsAt: nanoseconds(this.options.epochMs()),
      endsAt: undefined,
      resource: resource.attributes,
      container: containerOf(resource, containerId),
      ...figures,
      unit: rule.kind === 'event' ? '{event}' : rule.unit,
      limitUnit: rule.expression?.over?.metric.unit ?? '',
      labels: { ...this.options.labels, ...rule.labels },
      annotations: {},
      evidence: { ...NO_SERIES, ...NO_EVIDENCE },
    };
    // An alert of an event fires at once, and gets its texts with the event's attributes.
    return rule.kind === 'event' ? alert : this.withTexts(alert, rule, {});
  }

  /** The alert as it fires, with evidence. @param event attributes of the event that fired it */
  fire(
    alert: Alert,
    rule: Rule,
    resource: Resource,
    figures: Figures,
    measured: MeasuredSeries,
    event: Attributes,
  ): Alert {
    const evidence =
      alert.container === undefined ? NO_EVIDENCE : this.options.evidenceOf(alert.container.id);
    const fired: Alert = {
      ...alert,
      ...figures,
      status: 'firing',
      startsAt: nanoseconds(this.options.epochMs()),
      resource: resource.attributes,
      container: containerOf(resource, alert.container?.id),
      evidence: { ...measured, ...evidence },
    };
    return this.withTexts(fired, rule, event);
  }

  /** The last 10 minutes of an expression, with times since the epoch. @param seriesBound in the series' unit */
  measure(
    expression: CompiledExpression,
    views: SampleViews,
    seriesBound: number | undefined,
  ): MeasuredSeries {
    const epochOffsetMs = this.options.epochMs() - views.container.now;
    const series = expression
      .recentValues(views)
      .map(([time, value]) => [Math.round(time + epochOffsetMs), value] as const);
    return { series, seriesUnit: expression.recentUnit, seriesBound };
  }

  resolve(alert: Alert): Alert {
    return { ...alert, status: 'resolved', endsAt: nanoseconds(this.options.epochMs()) };
  }

  /** Fills in the templates of labels and annotations. */
  private withTexts(alert: Alert, rule: Rule, event: Attributes): Alert {
    const view = createTemplateView(alert, event);
    const filledIn = (templates: Readonly<Record<string, string>>) =>
      Object.fromEntries(
        Object.entries(templates).map(([name, template]) => [name, renderTemplate(template, view)]),
      );
    return {
      ...alert,
      labels: { ...this.options.labels, ...filledIn(rule.labels) },
      annotations: filledIn(rule.annotations),
    };
  }
}

/** Parts of the dashboards: data sources, variables, queries and panels, with Grafana's builders. */
import type { Builder, Dataquery } from '@grafana/grafana-foundation-sdk/cog';
import {
  GraphThresholdsStyleConfigBuilder,
  GraphTresholdsStyleMode,
  LegendPlacement,
  LogsSortOrder,
  SortOrder,
  StackingConfigBuilder,
  StackingMode,
  TooltipDisplayMode,
  VisibilityMode,
  VizLegendOptionsBuilder,
  VizTooltipOptionsBuilder,
} from '@grafana/grafana-foundation-sdk/common';
import {
  type AnnotationQuery,
  AnnotationQueryBuilder,
  type Dashboard,
  DashboardBuilder,
  DashboardCursorSync,
  DashboardLinkBuilder,
  DashboardLinkType,
  type DataSourceRef,
  DatasourceVariableBuilder,
  MappingType,
  QueryVariableBuilder,
  TextBoxVariableBuilder,
  type Threshold,
  ThresholdsConfigBuilder,
  ThresholdsMode,
  type ValueMapping,
  VariableHide,
  VariableRefresh,
  VariableSort,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { PanelBuilder as LogsPanel } from '@grafana/grafana-foundation-sdk/logs';
import { DataqueryBuilder as LokiQuery } from '@grafana/grafana-foundation-sdk/loki';
import { DataqueryBuilder as PromQuery, PromQueryFormat } from '@grafana/grafana-foundation-sdk/prometheus';
import { PanelBuilder as StatPanel } from '@grafana/grafana-foundation-sdk/stat';
import { PanelBuilder as TimeSeriesPanel } from '@grafana/grafana-foundation-sdk/timeseries';

/** Columns of Grafana's grid. */
export const WIDTH = 24;

export const PROMETHEUS = { type: 'prometheus', uid: '$prometheus' };
const LOKI = { type: 'loki', uid: '$loki' };

export const dataSources = [
  new DatasourceVariableBuilder('prometheus').label('Prometheus').type('prometheus'),
  new DatasourceVariableBuilder('loki').label('Loki').type('loki'),
];

function promVariable(name: string, label: string, query: string): QueryVariableBuilder {
  return new QueryVariableBuilder(name)
    .label(label)
    .datasource(PROMETHEUS)
    .query({ query, refId: name, qryType: 1 })
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .sort(VariableSort.AlphabeticalCaseInsensitiveAsc);
}

/** Allows several values. "All" matches any value except empty, so that other series do not match. */
const anyOf = (variable: QueryVariableBuilder): QueryVariableBuilder =>
  variable
    .multi(true)
    .includeAll(true)
    .allValue('.+')
    .current({ selected: true, text: 'All', value: '$__all' });

/** The host by name, and the hidden variable with its scrape target, which metrics have as a label. */
export const hostVariables = [
  anyOf(promVariable('host', 'Host', 'label_values(target_info{container_id=""}, host_name)')),
  anyOf(
    promVariable(
      'instance',
      'Instance',
      'label_values(target_info{container_id="", host_name=~"$host"}, instance)',
    ),
  ).hide(VariableHide.HideVariable),
];

const CONTAINERS = 'label_values(container_status{instance=~"$instance"}, container_name)';
export const containerVariable = promVariable('container', 'Container', CONTAINERS);
export const containersVariable = anyOf(promVariable('container', 'Container', CONTAINERS));
export const searchVariable = new TextBoxVariableBuilder('search')
  .label('Search (regular expression)')
  .defaultValue('');

/** Loki turns service.name and container.name into labels, and all other attributes into structured metadata. */
const stream = '{container_name=~"$container"} | host_name=~"$host"';
export const LOGS = `${stream} | scope_name="portlight.logs"`;
/** Selected by scope and attributes, because Loki does not store the name of an event. */
export const EVENTS = `${stream} | scope_name="portlight.events"`;
/** Includes events of the host, which have no container name. */
export const ALL_EVENTS =
  '{service_name=~".+"} | host_name=~"$host" | scope_name="portlight.events" | container_name=~"$container|"';

export const prom = (expr: string, legend: string) =>
  new PromQuery().datasource(PROMETHEUS).expr(expr).legendFormat(legend).range();
/** Current values, as rows of a table. */
export const promTable = (expr: string) =>
  new PromQuery().datasource(PROMETHEUS).expr(expr).format(PromQueryFormat.Table).instant();
const loki = (expr: string, legend = '') =>
  new LokiQuery().datasource(LOKI).expr(expr).legendFormat(legend).queryType('range');

const REF_IDS = 'ABCDEFGHIJ';

/** Thresholds at which a panel turns orange and red. */
export interface Levels {
  readonly orange?: number;
  readonly red?: number;
}

function thresholds({ orange, red }: Levels): ThresholdsConfigBuilder {
  const steps: Threshold[] = [{ value: null, color: 'green' }];
  if (orange !== undefined) steps.push({ value: orange, color: 'orange' });
  if (red !== undefined) steps.push({ value: red, color: 'red' });
  return new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps(steps);
}

export interface PanelOptions {
  /** What the panel shows and needs; shown as a tooltip. */
  readonly description?: string;
  /** Width in columns of 24. */
  readonly span?: number;
  /** Unit by Grafana's name: https://grafana.com/docs/grafana/latest/panels-visualizations/configure-standard-options/ */
  readonly unit?: string;
  readonly levels?: Levels;
  readonly max?: number;
  readonly stacked?: boolean;
  readonly texts?: ValueMapping;
}

type Queries = readonly Builder<Dataquery>[];

interface QueryPanel<P> {
  withTarget(query: Builder<Dataquery>): P;
  datasource(source: DataSourceRef): P;
}

/** Sets the letter of each query, and the panel's data source to that of its queries. */
function withQueries<P extends QueryPanel<P>>(panel: P, source: DataSourceRef, queries: Queries): P {
  return queries.reduce(
    (builder, query, index) =>
      builder.withTarget({ build: () => ({ ...query.build(), refId: REF_IDS[index] }) as Dataquery }),
    panel.datasource(source),
  );
}

/** Lines over time. A series named "limit …" is dashed. */
function lines(
  title: string,
  source: DataSourceRef,
  queries: Queries,
  options: PanelOptions,
): TimeSeriesPanel {
  const { description = '', span = WIDTH / 2, unit = 'short', levels, max, stacked = false } = options;
  let panel = new TimeSeriesPanel()
    .title(title)
    .description(description)
    .span(span)
    .height(8)
    .unit(unit)
    .min(0)
    .lineWidth(1)
    .fillOpacity(stacked ? 30 : 8)
    .showPoints(VisibilityMode.Never)
    .legend(
      new VizLegendOptionsBuilder()
        .showLegend(true)
        .placement(LegendPlacement.Bottom)
        .calcs(['lastNotNull', 'max']),
    )
    .tooltip(new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi).sort(SortOrder.Descending))
    .stacking(new StackingConfigBuilder().mode(stacked ? StackingMode.Normal : StackingMode.None))
    .overrideByRegexp('/^limit/', [
      { id: 'custom.lineStyle', value: { fill: 'dash', dash: [8, 6] } },
      { id: 'custom.fillOpacity', value: 0 },
      { id: 'custom.stacking', value: { mode: 'none', group: 'A' } },
      { id: 'color', value: { mode: 'fixed', fixedColor: 'red' } },
    ]);
  if (max !== undefined) panel = panel.max(max);
  if (levels !== undefined)
    panel = panel
      .thresholds(thresholds(levels))
      .thresholdsStyle(new GraphThresholdsStyleConfigBuilder().mode(GraphTresholdsStyleMode.Dashed));
  return withQueries(panel, source, queries);
}

/** Metrics over time. */
export const timeSeries = (title: string, queries: Queries, options: PanelOptions = {}): TimeSeriesPanel =>
  lines(title, PROMETHEUS, queries, options);

/** Number of records over time. */
export const counts = (
  title: string,
  expr: string,
  legend: string,
  options: PanelOptions = {},
): TimeSeriesPanel => lines(title, LOKI, [loki(expr, legend)], { stacked: true, ...options });

/** One number. */
export function stat(title: string, query: Builder<Dataquery>, options: PanelOptions = {}): StatPanel {
  const { description = '', span = 4, unit = 'short', levels = {}, texts } = options;
  let panel = new StatPanel()
    .title(title)
    .description(description)
    .span(span)
    .height(4)
    .unit(unit)
    .noValue('–')
    .thresholds(thresholds(levels));
  if (texts !== undefined) panel = panel.mappings([texts]);
  return withQueries(panel, PROMETHEUS, [query]);
}

/** Log lines, newest first. */
export function logs(title: string, expr: string, height = 12, span = WIDTH): LogsPanel {
  const panel = new LogsPanel()
    .title(title)
    .span(span)
    .height(height)
    .showTime(true)
    .wrapLogMessage(true)
    .enableLogDetails(true)
    .sortOrder(LogsSortOrder.Descending);
  return withQueries(panel, LOKI, [loki(expr)]);
}

/** Names and colours for numbers. */
export function valueTexts(options: Readonly<Record<string, { text: string; color: string }>>): ValueMapping {
  return { type: MappingType.ValueToText, options };
}

/** Marks events in every panel. Grafana's builders lack these properties of Loki annotations. */
function annotation(name: string, color: string, expr: string): Builder<AnnotationQuery> {
  const query = new AnnotationQueryBuilder()
    .name(name)
    .datasource(LOKI)
    .enable(true)
    .iconColor(color)
    .expr(expr);
  return {
    build: () =>
      ({
        ...query.build(),
        titleFormat: '{{docker_event_type}} {{docker_event_action}}',
        tagKeys: 'container_name,docker_event_action',
      }) as AnnotationQuery,
  };
}

const FAILURES = 'severity_number>=13';

export const eventAnnotations = (events: string) => [
  annotation(
    'Starts, ends, updates',
    'blue',
    `${events} | docker_event_action=~"start|die|stop|restart|update|pause|unpause" | severity_number<13`,
  ),
  annotation('OOM kills, failures, unhealthy', 'red', `${events} | ${FAILURES}`),
];

const TAG = 'portlight';

/** A dashboard with the common settings. @param uid its name in links */
export function dashboard(uid: string, title: string, description: string): DashboardBuilder {
  return new DashboardBuilder(title)
    .uid(uid)
    .description(description)
    .tags([TAG])
    .editable()
    .tooltip(DashboardCursorSync.Crosshair)
    .time({ from: 'now-1h', to: 'now' })
    .refresh('30s')
    .timezone('browser')
    .link(
      new DashboardLinkBuilder('Portlight')
        .type(DashboardLinkType.Dashboards)
        .tags([TAG])
        .asDropdown(true)
        .includeVars(true)
        .keepTime(true),
    );
}

/** Builds the dashboard and numbers its panels: links and annotations refer to these numbers. */
export function built(builder: DashboardBuilder): Dashboard {
  const made = builder.build();
  return { ...made, panels: made.panels?.map((panel, index) => ({ ...panel, id: index + 1 })) };
}

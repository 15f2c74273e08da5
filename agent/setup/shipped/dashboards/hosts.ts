/** The dashboard of all hosts and their largest containers. */
import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import { RowBuilder } from '@grafana/grafana-foundation-sdk/dashboard';
import { PanelBuilder as TablePanel } from '@grafana/grafana-foundation-sdk/table';
import {
  ALL_EVENTS,
  built,
  containersVariable,
  dashboard,
  dataSources,
  eventAnnotations,
  hostVariables,
  PROMETHEUS,
  prom,
  promTable,
  stat,
  timeSeries,
  WIDTH,
} from './parts.ts';

const HOST = 'instance=~"$instance"';
const CONTAINER = `${HOST}, container_name=~"$container"`;
const NAME = '{{container_name}}';
const RATE = '[$__rate_interval]';

/** The ten largest at each step of the range. */
const top = (expr: string) => prom(`topk(10, ${expr})`, NAME);

const TABLE_COLUMNS: readonly (readonly [expr: string, name: string, unit: string])[] = [
  [`container_cpu_usage{${CONTAINER}}`, 'CPUs', 'none'],
  [`container_memory_working_set_bytes{${CONTAINER}}`, 'Memory', 'bytes'],
  [`container_memory_limit_bytes{${CONTAINER}}`, 'Memory limit', 'bytes'],
  [`container_pids_current{${CONTAINER}}`, 'Processes and threads', 'none'],
  [`container_filesystem_usage_bytes{${CONTAINER}}`, 'Writable layer', 'bytes'],
  [`container_restarts{${CONTAINER}}`, 'Restarts', 'none'],
  [`container_uptime_seconds{${CONTAINER}}`, 'Up', 's'],
];

function containerTable(): TablePanel {
  const letter = (index: number) => String.fromCharCode(65 + index);
  const panel = new TablePanel()
    .title('Containers')
    .span(WIDTH)
    .height(12)
    .datasource(PROMETHEUS)
    .withTransformation({ id: 'merge', options: {} })
    .withTransformation({
      id: 'organize',
      options: {
        excludeByName: { Time: true, __name__: true, container_id: true },
        renameByName: {
          container_name: 'Container',
          instance: 'Instance',
          ...Object.fromEntries(TABLE_COLUMNS.map(([, name], index) => [`Value #${letter(index)}`, name])),
        },
      },
    });
  for (const [index, [expr, name, unit]] of TABLE_COLUMNS.entries()) {
    panel.withTarget(
      promTable(`max by (instance, container_id, container_name) (${expr})`).refId(letter(index)),
    );
    panel.overrideByName(name, [{ id: 'unit', value: unit }]);
  }
  return panel.overrideByName('Container', [
    {
      id: 'links',
      value: [
        {
          title: 'Open the container',
          // biome-ignore lint/suspicious/noTemplateCurlyInString: a variable of Grafana's
          url: '/d/portlight-container?var-container=${__value.raw}&${__url_time_range}&${host:queryparam}&${prometheus:queryparam}&${loki:queryparam}',
        },
      ],
    },
  ]);
}

export const hosts = (): Dashboard =>
  built(
    dashboard('portlight-hosts', 'Portlight: hosts', 'Docker hosts and the usage of their containers')
      .variables([...dataSources, ...hostVariables, containersVariable])
      .annotations(eventAnnotations(ALL_EVENTS))
      .withRow(new RowBuilder('Overview'))
      .withPanel(stat('Hosts', prom(`count(system_uptime_seconds{${HOST}})`, '')))
      .withPanel(
        stat('Containers running', prom(`sum(docker_containers{${HOST}, container_status="running"})`, '')),
      )
      .withPanel(
        stat(
          'Not running',
          prom(`sum(docker_containers{${HOST}, container_status!="running"}) or vector(0)`, ''),
        ),
      )
      .withPanel(
        stat(
          'Unhealthy',
          prom(
            `count(container_health{${CONTAINER}, container_health_status="unhealthy"} == 1) or vector(0)`,
            '',
          ),
          { levels: { red: 1 } },
        ),
      )
      .withPanel(
        stat(
          'Restarts in the last hour',
          prom(
            `sum(container_restarts{${CONTAINER}} - min_over_time(container_restarts{${CONTAINER}}[1h]))`,
            '',
          ),
          { levels: { orange: 1, red: 3 } },
        ),
      )
      .withPanel(
        stat(
          'OOM kills in the last hour',
          prom(
            `sum(increase(container_memory_events_total{${CONTAINER}, container_memory_event="oom_kill"}[1h]))`,
            '',
          ),
          {
            levels: { red: 1 },
            description: 'Only of containers that survive the kill. For the others, see the events.',
          },
        ),
      )
      .withRow(new RowBuilder('Hosts'))
      .withPanel(
        timeSeries(
          'CPU usage',
          [
            prom(
              `sum by (instance, cpu_mode) (rate(system_cpu_time_seconds_total{${HOST}, cpu_mode!~"idle|iowait"}${RATE})) / on (instance) group_left () system_cpu_logical{${HOST}}`,
              '{{instance}} {{cpu_mode}}',
            ),
          ],
          { unit: 'percentunit', stacked: true },
        ),
      )
      .withPanel(
        timeSeries(
          'Memory',
          [
            prom(
              `system_memory_limit_bytes{${HOST}} - system_memory_linux_available_bytes{${HOST}}`,
              'in use {{instance}}',
            ),
            prom(`system_memory_limit_bytes{${HOST}}`, 'limit {{instance}}'),
          ],
          { unit: 'bytes' },
        ),
      )
      .withPanel(
        timeSeries(
          'Pressure (PSI)',
          [
            prom(
              `rate(system_pressure_time_seconds_total{${HOST}, system_pressure_stall="some"}${RATE})`,
              '{{instance}} {{system_pressure_resource}}',
            ),
          ],
          {
            unit: 'percentunit',
            description: 'Share of the time in which some task waited for the resource.',
          },
        ),
      )
      .withPanel(
        timeSeries(
          'File system usage',
          [
            prom(
              `1 - sum by (instance, system_filesystem_mountpoint) (system_filesystem_usage_bytes{${HOST}, system_filesystem_state="free"}) / sum by (instance, system_filesystem_mountpoint) (system_filesystem_usage_bytes{${HOST}})`,
              '{{instance}} {{system_filesystem_mountpoint}}',
            ),
          ],
          {
            unit: 'percentunit',
            max: 1,
            levels: { orange: 0.8, red: 0.9 },
            description: 'Space reserved for root counts as used.',
          },
        ),
      )
      .withPanel(
        timeSeries(
          'Disks',
          [
            prom(
              `sum by (instance, disk_io_direction) (rate(system_disk_io_bytes_total{${HOST}}${RATE}))`,
              '{{instance}} {{disk_io_direction}}',
            ),
          ],
          { unit: 'Bps' },
        ),
      )
      .withPanel(
        timeSeries(
          'Network',
          [
            prom(
              `sum by (instance, network_io_direction) (rate(system_network_io_bytes_total{${HOST}}${RATE}))`,
              '{{instance}} {{network_io_direction}}',
            ),
          ],
          { unit: 'Bps' },
        ),
      )
      .withRow(new RowBuilder('Largest containers'))
      .withPanel(timeSeries('CPU usage (CPUs)', [top(`container_cpu_usage{${CONTAINER}}`)], { unit: 'none' }))
      .withPanel(
        timeSeries('Memory (working set)', [top(`container_memory_working_set_bytes{${CONTAINER}}`)], {
          unit: 'bytes',
        }),
      )
      .withPanel(
        timeSeries(
          'Memory, share of the limit',
          [
            top(
              `container_memory_working_set_bytes{${CONTAINER}} / container_memory_limit_bytes{${CONTAINER}}`,
            ),
          ],
          { unit: 'percentunit', max: 1, levels: { orange: 0.8, red: 0.9 } },
        ),
      )
      .withPanel(
        timeSeries(
          'Throttled CPU periods',
          [
            top(
              `rate(container_cpu_throttling_throttled_periods_total{${CONTAINER}}${RATE}) / rate(container_cpu_throttling_periods_total{${CONTAINER}}${RATE})`,
            ),
          ],
          { unit: 'percentunit', levels: { orange: 0.25 } },
        ),
      )
      .withPanel(
        timeSeries(
          'Disk I/O',
          [
            top(
              `sum by (instance, container_name) (rate(container_disk_io_bytes_total{${CONTAINER}}${RATE}))`,
            ),
          ],
          { unit: 'Bps' },
        ),
      )
      .withPanel(
        timeSeries(
          'Network I/O',
          [
            top(
              `sum by (instance, container_name) (rate(container_network_io_bytes_total{${CONTAINER}}${RATE}))`,
            ),
          ],
          { unit: 'Bps' },
        ),
      )
      .withPanel(containerTable())
      .withRow(new RowBuilder('Docker'))
      .withPanel(
        timeSeries(
          'Containers by status',
          [prom(`sum by (container_status) (docker_containers{${HOST}})`, '{{container_status}}')],
          { span: 8, stacked: true },
        ),
      )
      .withPanel(
        timeSeries(
          'Disk usage',
          [
            prom(`sum(docker_images_size_bytes{${HOST}})`, 'images'),
            prom(`sum(docker_volumes_size_bytes{${HOST}})`, 'volumes'),
            prom(`sum(docker_build_cache_size_bytes{${HOST}})`, 'build cache'),
            prom(`sum(container_filesystem_usage_bytes{${CONTAINER}})`, 'writable layers'),
          ],
          { span: 8, unit: 'bytes', stacked: true },
        ),
      )
      .withPanel(
        timeSeries(
          'Response time of the daemon',
          [prom(`docker_api_duration_seconds{${HOST}}`, '{{instance}}')],
          {
            span: 8,
            unit: 's',
          },
        ),
      )
      .withRow(new RowBuilder('Agent'))
      .withPanel(
        timeSeries(
          'Records collected',
          [prom(`sum by (signal) (rate(portlight_records_collected_total{${HOST}}${RATE}))`, '{{signal}}')],
          { span: 8, unit: 'rps' },
        ),
      )
      .withPanel(
        timeSeries(
          'Dropped records',
          [
            prom(
              `sum by (reason, signal) (rate(portlight_records_dropped_total{${HOST}}${RATE}))`,
              '{{signal}} {{reason}}',
            ),
          ],
          { span: 8, unit: 'rps', description: 'Empty until a record is dropped.' },
        ),
      )
      .withPanel(
        timeSeries(
          'Backlog by destination',
          [
            prom(
              `sum by (instance, destination) (portlight_spool_size_bytes{${HOST}})`,
              '{{instance}} {{destination}}',
            ),
          ],
          { span: 8, unit: 'bytes', description: 'Needs an OTLP destination.' },
        ),
      ),
  );

/** The dashboard of one container: usage against limits, events, log. */
import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import { RowBuilder } from '@grafana/grafana-foundation-sdk/dashboard';
import {
  built,
  containerVariable,
  dashboard,
  dataSources,
  EVENTS,
  eventAnnotations,
  hostVariables,
  LOGS,
  logs,
  prom,
  stat,
  timeSeries,
  valueTexts,
} from './parts.ts';

const CONTAINER = 'instance=~"$instance", container_name=~"$container"';
const RATE = '[$__rate_interval]';

const metric = (name: string, labels = ''): string =>
  `${name}{${CONTAINER}${labels === '' ? '' : `, ${labels}`}}`;
const rate = (name: string, labels = ''): string => `rate(${metric(name, labels)}${RATE})`;

/** The state whose series is 1 (status, health), as a number that maps to a text. */
function state(name: string, label: string, states: Readonly<Record<string, string>>) {
  const names = Object.keys(states);
  const expr = names.map((state, index) => `${index} * ${metric(name, `${label}="${state}"`)}`);
  return {
    query: prom(`max(${expr.join(' or ')})`, ''),
    texts: valueTexts(
      Object.fromEntries(
        Object.entries(states).map(([text, color], index) => [String(index), { text, color }] as const),
      ),
    ),
  };
}

const status = state('container_status', 'container_status', {
  running: 'green',
  created: 'blue',
  restarting: 'red',
  paused: 'orange',
  removing: 'orange',
  exited: 'orange',
  dead: 'red',
});
const health = state('container_health', 'container_health_status', {
  healthy: 'green',
  starting: 'blue',
  unhealthy: 'red',
});

const optIn = (group: string): string => `Needs metrics.enable: [${group}].`;

export const container = (): Dashboard =>
  built(
    dashboard(
      'portlight-container',
      'Portlight: container',
      'Usage of one container against its limits, with its events and log',
    )
      .variables([...dataSources, ...hostVariables, containerVariable])
      .annotations(eventAnnotations(EVENTS))
      .withRow(new RowBuilder('State'))
      .withPanel(stat('Status', status.query, { texts: status.texts }))
      .withPanel(
        stat('Health', health.query, { texts: health.texts, description: 'Empty without a health check.' }),
      )
      .withPanel(stat('Up', prom(`max(${metric('container_uptime_seconds')})`, ''), { unit: 's' }))
      .withPanel(
        stat('Restarts', prom(`max(${metric('container_restarts')})`, ''), { levels: { orange: 1, red: 3 } }),
      )
      .withPanel(
        stat('Exit code', prom(`max(${metric('container_exit_code')})`, ''), {
          levels: { red: 1 },
          description: 'Of the last run. Empty while the container runs.',
        }),
      )
      .withPanel(stat('Image age', prom(`max(${metric('container_image_age_seconds')})`, ''), { unit: 's' }))
      .withRow(new RowBuilder('CPU'))
      .withPanel(
        timeSeries(
          'CPU usage (CPUs)',
          [
            prom(rate('container_cpu_time_seconds_total'), '{{cpu_mode}}'),
            prom(metric('container_cpu_limit'), 'limit'),
          ],
          { span: 8, unit: 'none', stacked: true },
        ),
      )
      .withPanel(
        timeSeries(
          'Throttled CPU periods',
          [
            prom(
              `${rate('container_cpu_throttling_throttled_periods_total')} / ${rate('container_cpu_throttling_periods_total')}`,
              'throttled',
            ),
          ],
          {
            span: 8,
            unit: 'percentunit',
            max: 1,
            levels: { orange: 0.25 },
            description: 'Share of the CPU periods in which the quota was used up. Empty without a quota.',
          },
        ),
      )
      .withPanel(
        timeSeries(
          'CPU pressure',
          [prom(rate('container_cpu_pressure_time_seconds_total'), '{{container_pressure_stall}}')],
          { span: 8, unit: 'percentunit', levels: { orange: 0.25 }, description: optIn('pressure') },
        ),
      )
      .withRow(new RowBuilder('Memory'))
      .withPanel(
        timeSeries(
          'Memory',
          [
            prom(metric('container_memory_working_set_bytes'), 'working set'),
            prom(metric('container_memory_rss_bytes'), 'anonymous'),
            prom(metric('container_memory_file_bytes'), 'page cache'),
            prom(metric('container_memory_limit_bytes'), 'limit'),
          ],
          { unit: 'bytes' },
        ),
      )
      .withPanel(
        timeSeries(
          'Working set, share of the limit',
          [
            prom(
              `${metric('container_memory_working_set_bytes')} / ${metric('container_memory_limit_bytes')}`,
              'working set',
            ),
          ],
          { unit: 'percentunit', max: 1, levels: { orange: 0.8, red: 0.9 } },
        ),
      )
      .withPanel(
        timeSeries(
          'Memory events (limit reached)',
          [prom(`increase(${metric('container_memory_events_total')}${RATE})`, '{{container_memory_event}}')],
          { span: 8, levels: { red: 1 } },
        ),
      )
      .withPanel(
        timeSeries(
          'Major page faults and refaults',
          [
            prom(rate('container_paging_faults_total', 'system_paging_fault_type="major"'), 'major faults'),
            prom(rate('container_memory_refaults_total'), 'refaults {{container_memory_type}}'),
          ],
          {
            span: 8,
            unit: 'ops',
            description:
              'Pages read from disk. High values mean that the memory is too small for the working set.',
          },
        ),
      )
      .withPanel(
        timeSeries(
          'Memory pressure',
          [prom(rate('container_memory_pressure_time_seconds_total'), '{{container_pressure_stall}}')],
          { span: 8, unit: 'percentunit', levels: { orange: 0.1 }, description: optIn('pressure') },
        ),
      )
      .withRow(new RowBuilder('Processes, disk and network'))
      .withPanel(
        timeSeries(
          'Processes and threads',
          [prom(metric('container_pids_current'), 'in use'), prom(metric('container_pids_limit'), 'limit')],
          { span: 8, unit: 'none' },
        ),
      )
      .withPanel(
        timeSeries(
          'Open file descriptors',
          [prom(metric('container_process_open_file_descriptors'), 'all processes')],
          { span: 8, unit: 'none', description: optIn('process') },
        ),
      )
      .withPanel(
        timeSeries(
          'Open file descriptors, share of the limit',
          [prom(metric('container_process_open_file_descriptor_utilization_ratio'), 'the fullest process')],
          {
            span: 8,
            unit: 'percentunit',
            max: 1,
            levels: { orange: 0.8, red: 0.9 },
            description: optIn('process'),
          },
        ),
      )
      .withPanel(
        timeSeries(
          'Disk I/O',
          [
            prom(
              `sum by (disk_io_direction) (${rate('container_disk_io_bytes_total')})`,
              '{{disk_io_direction}}',
            ),
          ],
          { span: 8, unit: 'Bps' },
        ),
      )
      .withPanel(
        timeSeries(
          'Disk operations',
          [
            prom(
              `sum by (disk_io_direction) (${rate('container_disk_operations_total')})`,
              '{{disk_io_direction}}',
            ),
          ],
          { span: 8, unit: 'iops' },
        ),
      )
      .withPanel(
        timeSeries(
          'Writable layer and free space',
          [
            prom(metric('container_filesystem_usage_bytes'), 'in use'),
            prom(
              `${metric('container_filesystem_usage_bytes')} + ${metric('container_filesystem_available_bytes')}`,
              'limit',
            ),
          ],
          { span: 8, unit: 'bytes' },
        ),
      )
      .withPanel(
        timeSeries(
          'Network',
          [
            prom(
              `sum by (network_io_direction) (${rate('container_network_io_bytes_total')})`,
              '{{network_io_direction}}',
            ),
          ],
          { unit: 'Bps', description: 'Empty on the network of the host or of another container.' },
        ),
      )
      .withPanel(
        timeSeries(
          'Dropped packets and errors',
          [
            prom(
              `sum by (network_io_direction) (${rate('container_network_packet_dropped_total')})`,
              'dropped {{network_io_direction}}',
            ),
            prom(
              `sum by (network_io_direction) (${rate('container_network_errors_total')})`,
              'error {{network_io_direction}}',
            ),
          ],
          { unit: 'pps' },
        ),
      )
      .withRow(new RowBuilder('Events and log'))
      .withPanel(logs('Events', EVENTS, 8))
      .withPanel(logs('Log', LOGS, 16)),
  );

/** The dashboard of all logs and events, with search. */
import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import { RowBuilder } from '@grafana/grafana-foundation-sdk/dashboard';
import {
  ALL_EVENTS,
  built,
  containersVariable,
  counts,
  dashboard,
  dataSources,
  eventAnnotations,
  hostVariables,
  LOGS,
  logs,
  prom,
  searchVariable,
  timeSeries,
} from './parts.ts';

const CONTAINER = 'instance=~"$instance", container_name=~"$container"';
const FOUND = `${LOGS} |~ \`$search\``;

export const logsAndEvents = (): Dashboard =>
  built(
    dashboard('portlight-logs-events', 'Portlight: logs and events', 'Logs of containers and events of hosts')
      .variables([...dataSources, ...hostVariables, containersVariable, searchVariable])
      .annotations(eventAnnotations(ALL_EVENTS))
      .withRow(new RowBuilder('Logs'))
      .withPanel(
        counts(
          'Lines by level',
          `sum by (detected_level) (count_over_time(${FOUND} [$__interval]))`,
          '{{detected_level}}',
        ),
      )
      .withPanel(
        counts(
          'Lines by container',
          `topk(10, sum by (container_name) (count_over_time(${FOUND} [$__interval])))`,
          '{{container_name}}',
        ),
      )
      .withPanel(
        counts(
          'Bytes by container',
          `topk(10, sum by (container_name) (bytes_rate(${LOGS} [$__interval])))`,
          '{{container_name}}',
          { unit: 'Bps', stacked: false },
        ),
      )
      .withPanel(
        timeSeries(
          'Dropped lines',
          [
            prom(
              `sum by (container_name, reason) (rate(container_log_dropped_total{${CONTAINER}}[$__rate_interval]))`,
              '{{container_name}} {{reason}}',
            ),
          ],
          { unit: 'cps', description: 'Dropped by the rate limit, a filter or the minimum severity.' },
        ),
      )
      .withPanel(logs('Log', FOUND, 16))
      .withRow(new RowBuilder('Events'))
      .withPanel(
        counts(
          'Events',
          `sum by (docker_event_type, docker_event_action) (count_over_time(${ALL_EVENTS} [$__interval]))`,
          '{{docker_event_type}} {{docker_event_action}}',
        ),
      )
      .withPanel(
        counts(
          'Exits, OOM kills and failed health checks by container',
          `sum by (container_name, docker_event_action) (count_over_time(${ALL_EVENTS} | docker_event_action=~"die|oom|health_status.unhealthy" [$__interval]))`,
          '{{container_name}} {{docker_event_action}}',
        ),
      )
      .withPanel(logs('Warnings and errors', `${ALL_EVENTS} | severity_number>=13`, 12, 12))
      .withPanel(logs('All events', ALL_EVENTS, 12, 12)),
  );

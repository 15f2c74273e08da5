/** State of a container as the daemon reports it: GET /containers/{id}/json and events. */
import { cadvisorName, dockerName, row } from './entry.ts';

const INSPECT = 'GET /containers/{id}/json';

export const state = {
  uptime: row('state', 'container.uptime', 'gauge', 's', 'Time since the container was started', {
    source: `${INSPECT}, State.StartedAt`,
    dockerStats: [dockerName('uptime', 's', 'gauge')],
  }),
  startTime: row(
    'state',
    'container.start_time',
    'gauge',
    's',
    'Start time of the container, in seconds since the Unix epoch',
    {
      dialectOnly: true,
      source: `${INSPECT}, State.StartedAt`,
      cadvisor: [cadvisorName('container_start_time_seconds')],
    },
  ),
  lastSeen: row(
    'state',
    'container.last_seen',
    'gauge',
    's',
    'Time when the container was last seen, in seconds since the Unix epoch',
    {
      dialectOnly: true,
      source: 'the clock',
      cadvisor: [cadvisorName('container_last_seen')],
    },
  ),
  status: row(
    'state',
    'container.status',
    'updowncounter',
    '{status}',
    '1 for the current status of the container',
    {
      source: `${INSPECT}, State.Status`,
      dockerStats: [
        dockerName('status', '{status}', 'gauge', {
          attributes: (attributes) => ({ status: String(attributes['container.status']) }),
        }),
      ],
    },
  ),
  health: row(
    'state',
    'container.health',
    'updowncounter',
    '{status}',
    '1 for the current health of the running container; absent without a health check',
    {
      source: `${INSPECT}, State.Health.Status`,
    },
  ),
  healthy: row(
    'state',
    'container.health.healthy',
    'gauge',
    '{boolean}',
    '1 if the container is healthy, else 0',
    {
      dialectOnly: true,
      source: `${INSPECT}, State.Health.Status`,
      cadvisor: [cadvisorName('container_health_state')],
    },
  ),
  // Not a counter: counters start again with each run of the container, this one does not.
  restarts: row(
    'state',
    'container.restarts',
    'updowncounter',
    '{restart}',
    "Restarts by the daemon's restart policy",
    {
      source: `${INSPECT}, RestartCount`,
      dockerStats: [dockerName('restarts', '{restarts}')],
    },
  ),
  exitCode: row(
    'state',
    'container.exit_code',
    'gauge',
    '{code}',
    'Exit code of the last run; absent while the container runs',
    {
      source: `${INSPECT}, State.ExitCode`,
    },
  ),
  oomKilled: row(
    'state',
    'container.oom_killed',
    'gauge',
    '{boolean}',
    '1 if the last run was OOM-killed, else 0; absent while the container runs',
    {
      source: `${INSPECT}, State.OOMKilled`,
    },
  ),
  namespace: row(
    'namespace',
    'portlight.container.namespace',
    'updowncounter',
    '{namespace}',
    '1 for each namespace of the container, with its type, its inode and its relation: host, shared (with another container) or private',
    { optIn: true, source: '/proc/<pid>/ns' },
  ),
  imageOutdated: row(
    'state',
    'container.image.outdated',
    'gauge',
    '{boolean}',
    '1 if the image reference of the running container now refers to another image, else 0',
    { source: 'GET /images/json, RepoTags' },
  ),
  imageAge: row('state', 'container.image.age', 'gauge', 's', 'Time since the image was created', {
    source: 'GET /images/{id}/json, Created',
  }),
  logDropped: row(
    'log',
    'container.log.dropped',
    'counter',
    '{record}',
    'Log lines of the container that the agent dropped since it started, by reason: filter, rate_limit, truncated (only the end of the line) or unreadable',
    { source: "the agent's pipeline" },
  ),
};

/** What the daemon says of a container: GET /containers/{id}/json and events. */
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
    'When the container was started, in seconds since the epoch',
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
    'When the container was last looked at, in seconds since the epoch',
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
    '1 for the status that the container has',
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
    '1 for the health that the running container has; absent without a health check',
    {
      source: `${INSPECT}, State.Health.Status`,
    },
  ),
  healthy: row(
    'state',
    'container.health.healthy',
    'gauge',
    '{boolean}',
    'Whether the container is healthy',
    {
      dialectOnly: true,
      source: `${INSPECT}, State.Health.Status`,
      cadvisor: [cadvisorName('container_health_state')],
    },
  ),
  // Outlives the runs that the other counters begin anew with, so it is no counter of theirs.
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
    'Whether the last run was ended for want of memory; absent while the container runs',
    {
      source: `${INSPECT}, State.OOMKilled`,
    },
  ),
  namespace: row(
    'namespace',
    'portlight.container.namespace',
    'updowncounter',
    '{namespace}',
    "1 for each namespace that the container lives in: its type, inode, and whether it is the host's, shared with another container, or private",
    { optIn: true, source: '/proc/<pid>/ns' },
  ),
  imageOutdated: row(
    'state',
    'container.image.outdated',
    'gauge',
    '{boolean}',
    'Whether the name that the running container was made from means another image by now',
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
    "Lines of the container's log that were left out since the agent began, by reason: filter, rate_limit, truncated (only their end) or unreadable",
    { source: "the agent's pipeline" },
  ),
};

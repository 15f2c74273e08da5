/** cAdvisor: reads the cgroups once an interval and is scraped once an interval. */
import { type BenchPeer, findProgram } from './peer.ts';

/** Metrics that the agent has too. `process` is left out: it opens every process's directory for a single common figure. */
const METRICS = 'cpu,memory,network,diskIO,oom_event,cpuset';

export const cadvisor: BenchPeer = {
  name: 'cAdvisor',

  find: (path) => findProgram(path, 'cadvisor', '--version', /^cAdvisor version v?(\S+)/m),

  async metrics({ binary, dockerHost, intervalSeconds, port }) {
    const interval = `${intervalSeconds}s`;
    return {
      argv: [
        binary,
        '--listen_ip=127.0.0.1',
        `--port=${port}`,
        `--docker=${dockerHost}`,
        '--docker_only=true',
        '--disable_root_cgroup_stats=true',
        '--store_container_labels=false',
        `--enable_metrics=${METRICS}`,
        // Reads every container every interval, as the agent does, even if it is idle.
        '--allow_dynamic_housekeeping=false',
        `--housekeeping_interval=${interval}`,
        `--max_housekeeping_interval=${interval}`,
        '--logtostderr=true',
      ],
      env: {},
      scrape: `http://127.0.0.1:${port}/metrics`,
    };
  },
};

/** Netdata with only its cgroups collector, scraped in the Prometheus format. */
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type BenchPeer, fill, findProgram } from './peer.ts';

export const netdata: BenchPeer = {
  name: 'Netdata',

  find: (path) => findProgram(path, 'netdata', '-V', /^netdata v(\S+)/m),

  async metrics({ binary, dockerHost, intervalSeconds, port, data }) {
    await writeFile(join(data, '.opt-out-from-anonymous-statistics'), '');
    const configuration = await fill('netdata/netdata.conf', join(data, 'netdata.conf'), {
      data,
      port,
      interval: intervalSeconds,
      unified: existsSync('/sys/fs/cgroup/cgroup.controllers') ? 'yes' : 'no',
    });
    return {
      argv: [binary, '-D', '-P', join(data, 'netdata.pid'), '-c', configuration],
      // Looks up the names of containers.
      env: { DOCKER_HOST: dockerHost },
      scrape: `http://127.0.0.1:${port}/api/v1/allmetrics?format=prometheus&source=as-collected`,
    };
  },
};

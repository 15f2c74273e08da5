/** Telegraf: polls the stats API once an interval and is scraped once an interval. */
import { join } from 'node:path';
import { type BenchPeer, fill, findProgram } from './peer.ts';

export const telegraf: BenchPeer = {
  name: 'Telegraf',

  find: (path) => findProgram(path, 'telegraf', '--version', /^Telegraf (\S+)/m),

  async metrics({ binary, dockerHost, intervalSeconds, port, data }) {
    const configuration = await fill('telegraf/telegraf.conf', join(data, 'telegraf.conf'), {
      dockerHost,
      port,
      interval: intervalSeconds,
    });
    return {
      argv: [binary, '--config', configuration],
      env: {},
      scrape: `http://127.0.0.1:${port}/metrics`,
    };
  },
};

/** The OpenTelemetry Collector: `filelog` for logs, `docker_stats` for metrics, both to OTLP. */
import { join } from 'node:path';
import { clientOf } from '../../../agent/setup/dockerd.ts';
import { type BenchPeer, fill, findProgram } from './peer.ts';

export const otelcol: BenchPeer = {
  name: 'OpenTelemetry Collector',

  find: (path) => findProgram(path, 'otelcol', '--version', /^otelcol\S* version v?(\S+)/m),

  async logs({ binary, files, endpoint, data, format, gzip, spool }) {
    const configuration = await fill('otelcol/logs.yaml', join(data, 'otelcol.yaml'), {
      data,
      endpoint,
      files: JSON.stringify(files),
      operators: join(import.meta.dirname, `otelcol/${format}.yaml`),
      compression: gzip ? 'gzip' : 'none',
      queue: spool ? 'file_storage' : 'null',
    });
    return { argv: [binary, '--config', configuration], env: {} };
  },

  async metrics({ binary, dockerHost, intervalSeconds, endpoint, data }) {
    const configuration = await fill('otelcol/metrics.yaml', join(data, 'otelcol.yaml'), {
      dockerHost,
      endpoint,
      // Its default API version is newer than that of older daemons.
      apiVersion: (await clientOf(dockerHost).version()).ApiVersion,
      interval: intervalSeconds,
    });
    return { argv: [binary, '--config', configuration], env: {} };
  },
};

/** Fluent Bit: `tail` with the Docker parser to OTLP. */
import { join } from 'node:path';
import { type BenchPeer, fill, findProgram } from './peer.ts';

export const fluentBit: BenchPeer = {
  name: 'Fluent Bit',

  find: (path) => findProgram(path, 'fluent-bit', '--version', /^Fluent Bit v(\S+)/m),

  async logs({ binary, files, endpoint, data, format, gzip, spool }) {
    const { hostname, port } = new URL(endpoint);
    const storage = spool ? 'filesystem' : 'memory';
    const filters =
      format === 'plain'
        ? []
        : [await fill(`fluent-bit/${format}.yaml`, join(data, `${format}.yaml`), { storage })];
    const configuration = await fill('fluent-bit/logs.yaml', join(data, 'fluent-bit.yaml'), {
      data,
      storage,
      filters: JSON.stringify(filters),
      parsers: await fill('fluent-bit/parsers.yaml', join(data, 'parsers.yaml'), {}),
      files: files.join(','),
      host: hostname,
      port,
      compress: gzip ? 'gzip' : '',
      body: format === 'json' ? '$msg' : '$log',
    });
    return { argv: [binary, '--config', configuration], env: {} };
  },
};

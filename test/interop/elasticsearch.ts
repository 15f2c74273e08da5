/** Starts a real Elasticsearch and, in front of it, a Collector with the shipped configuration. */
import { execFileSync } from 'node:child_process';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { freePort } from '../support/port.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { templates } from './elasticsearch/templates.ts';
import { onLoopback, type Running, startPeer, withoutOwnMetrics } from './peer.ts';

const GATEWAY = join(import.meta.dirname, '../../config/elastic/gateway.yaml');
/** The user it runs as: Elasticsearch refuses to run as root. */
const USER = 'nobody';
const START_MS = 180_000;

/** The values of a document's fields, by full name. */
export type Fields = Readonly<Record<string, readonly unknown[]>>;

export interface Elasticsearch {
  /** URL for an agent's OTLP exporter. */
  readonly gateway: string;
  /** Output of the Collector. */
  readonly log: Running['log'];
  /** Fields of the documents in a data stream; none if the stream does not exist yet. */
  search(stream: string, query: object): Promise<readonly Fields[]>;
  /** Type of a field in a data stream's mapping. */
  typeOf(stream: string, field: string): Promise<string | undefined>;
}

/** Starts both on loopback. They stop, and their data is deleted, when the test ends. */
export async function startElasticsearch(t: ExecutionContext, programs: string): Promise<Elasticsearch> {
  const url = await startServer(t, programs);
  const request = async (path: string, body?: object, method = 'POST') => {
    const options = body && {
      method,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    };
    const response = await fetch(`${url}/${path}`, options);
    const result = await response.json();
    if (!response.ok) throw new Error(`${path}: ${response.status} ${JSON.stringify(result)}`);
    return result as never;
  };
  for (const [path, body] of templates()) await request(path, body, 'PUT');
  return {
    ...(await startGateway(t, join(programs, 'otelcol'), url)),
    async search(stream, query) {
      const path = `${stream}/_search?ignore_unavailable=true`;
      await request(`${stream}/_refresh?ignore_unavailable=true`);
      const search = { query, fields: ['*'], _source: false, size: 5000 };
      const { hits }: { hits: { hits: { fields: Fields }[] } } = await request(path, search);
      return hits.hits.map(({ fields }) => fields);
    },
    async typeOf(stream, field) {
      const found: Record<
        string,
        { mappings: Record<string, { mapping: Record<string, { type: string }> }> }
      > = await request(`${stream}/_mapping/field/${field}`);
      const [mapping] = Object.values(found).map(({ mappings }) => mappings[field]?.mapping);
      return Object.values(mapping ?? {})[0]?.type;
    },
  };
}

/** @returns its URL */
async function startServer(t: ExecutionContext, programs: string): Promise<string> {
  const directory = temporaryDirectory(t);
  const home = join(directory, 'elasticsearch');
  cpSync(join(programs, 'server'), home, { recursive: true });
  const port = await freePort();
  writeFileSync(
    join(home, 'config/elasticsearch.yml'),
    [
      'discovery.type: single-node',
      'network.host: 127.0.0.1',
      `http.port: ${port}`,
      `transport.port: ${await freePort()}`,
      'xpack.security.enabled: false',
      'cluster.routing.allocation.disk.threshold_enabled: false',
    ].join('\n'),
  );
  const isRoot = process.getuid?.() === 0;
  if (isRoot) execFileSync('chown', ['-R', USER, directory]);
  const as = isRoot ? ['setpriv', `--reuid=${USER}`, '--regid=nogroup', '--clear-groups'] : [];
  const command = [...as, join(home, 'bin/elasticsearch')];
  const url = `http://127.0.0.1:${port}`;
  const java = execFileSync('readlink', ['-f', '/usr/bin/java'], { encoding: 'utf8' }).trim();
  const variables = { ES_JAVA_HOME: join(java, '../..'), ES_JAVA_OPTS: '-Xms512m -Xmx512m' };
  await startPeer(t, command, `${url}/_cluster/health`, { within: START_MS, cwd: directory, variables });
  return url;
}

async function startGateway(t: ExecutionContext, program: string, elasticsearch: string) {
  const directory = temporaryDirectory(t);
  const config = join(directory, 'gateway.yaml');
  const { text, own } = await onLoopback(readFileSync(GATEWAY, 'utf8'), [4317, 4318, 13133]);
  writeFileSync(config, withoutOwnMetrics(text));
  const variables = {
    STORAGE: join(directory, 'queue'),
    ELASTICSEARCH: elasticsearch,
    // The server needs no credentials; any will do.
    ELASTIC_API_KEY: Buffer.from('id:key').toString('base64'),
  };
  const command = [program, '--config', config];
  const { log } = await startPeer(t, command, `http://127.0.0.1:${own(13133)}/`, { variables });
  return { gateway: `http://127.0.0.1:${own(4318)}`, log };
}

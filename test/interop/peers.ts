/** Real back ends, each built or installed at the version that is pinned, so that a run can be repeated. */
import { join } from 'node:path';
import { installPackages } from '../setup.ts';
import { obtainDocker } from './docker/build.ts';
import { obtainElasticsearch } from './elasticsearch/build.ts';
import { goBuild, moduleVersionOf, type Obtained, versionOf } from './obtain.ts';

export interface Peer {
  /** What PORTLIGHT_PEER_<NAME> tells the path of, in upper case; tests of it are `<name>.test.ts`. */
  readonly name: string;
  /**
   * @param directory where what is built goes
   */
  obtain(directory: string): Promise<Obtained>;
}

/** Where a peer is, for its tests; undefined where it could not be had. */
export const pathOf = (name: string): string | undefined => process.env[variableOf(name)];

export const variableOf = (name: string): string =>
  `PORTLIGHT_PEER_${name.toUpperCase().replaceAll('-', '_')}`;

const reasonOf = (error: unknown): string => {
  const { stderr, message } = error as Error & { stderr?: string };
  return (stderr || message).trim().split('\n').at(-1)!;
};

/** A program of a Debian package. */
async function debian(name: string): Promise<Obtained> {
  installPackages([name]);
  const path = `/usr/bin/${name}`;
  return { path, version: await versionOf(path) };
}

/**
 * A program built from Go modules, beside whose go.mod it is.
 * @param what the package of another module to build; our own otherwise
 */
async function goProgram(folder: string, path: string, what?: string): Promise<Obtained> {
  const directory = join(import.meta.dirname, folder);
  await goBuild(directory, ['-o', path, what ?? '.']);
  return { path, version: await (what === undefined ? versionOf(path) : moduleVersionOf(directory, what)) };
}

/** A peer that could not be had is one that is absent, whatever the reason. */
const peer = (name: string, obtain: Peer['obtain']): Peer => ({
  name,
  obtain: (directory) => obtain(directory).catch((error) => ({ absent: reasonOf(error) })),
});

export const peers: readonly Peer[] = [
  peer('collector', (directory) => goProgram('collector', join(directory, 'otelcol'))),
  peer('prometheus', (directory) =>
    goProgram('prometheus', join(directory, 'prometheus'), 'github.com/prometheus/prometheus/cmd/prometheus'),
  ),
  peer('prometheus-debian', () => debian('prometheus')),
  peer('alertmanager', () => debian('prometheus-alertmanager')),
  peer('loki', (directory) =>
    goProgram('loki', join(directory, 'loki'), 'github.com/grafana/loki/v3/cmd/loki'),
  ),
  peer('jaeger', (directory) =>
    goProgram('jaeger', join(directory, 'jaeger'), 'github.com/jaegertracing/jaeger/cmd/jaeger'),
  ),
  peer('elasticsearch', obtainElasticsearch),
  peer('docker', obtainDocker),
];

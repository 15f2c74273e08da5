/** Real back ends, each at a pinned version, so that a run is reproducible. */
import { join } from 'node:path';
import { installPackages } from '../setup.ts';
import { obtainDocker } from './docker/build.ts';
import { obtainElasticsearch } from './elasticsearch/build.ts';
import { goBuild, moduleVersionOf, type Obtained, versionOf } from './obtain.ts';

export interface InteropPeer {
  /** PORTLIGHT_PEER_<NAME>, in upper case, holds its path; its tests are `<name>.test.ts`. */
  readonly name: string;
  /**
   * @param directory for the built program
   */
  obtain(directory: string): Promise<Obtained>;
}

/** Path of a peer for its tests; undefined if it is absent. */
export const pathOf = (name: string): string | undefined => process.env[variableOf(name)];

export const variableOf = (name: string): string =>
  `PORTLIGHT_PEER_${name.toUpperCase().replaceAll('-', '_')}`;

const reasonOf = (error: unknown): string => {
  const { stderr, message } = error as Error & { stderr?: string };
  return (stderr || message).trim().split('\n').at(-1)!;
};

/** Installs a program from a Debian package. */
async function debian(name: string): Promise<Obtained> {
  installPackages([name]);
  const path = `/usr/bin/${name}`;
  return { path, version: await versionOf(path) };
}

/**
 * Builds a program from Go modules, in the directory of its go.mod.
 * @param what package of another module; default: the module in that directory
 */
async function goProgram(folder: string, path: string, what?: string): Promise<Obtained> {
  const directory = join(import.meta.dirname, folder);
  await goBuild(directory, ['-o', path, what ?? '.']);
  return { path, version: await (what === undefined ? versionOf(path) : moduleVersionOf(directory, what)) };
}

/** A peer that cannot be built or installed counts as absent. */
const peer = (name: string, obtain: InteropPeer['obtain']): InteropPeer => ({
  name,
  obtain: (directory) => obtain(directory).catch((error) => ({ absent: reasonOf(error) })),
});

export const interopPeers: readonly InteropPeer[] = [
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

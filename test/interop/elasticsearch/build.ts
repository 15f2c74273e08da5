/**
 * Elasticsearch from Maven Central, and a Collector that writes to it, built from Go modules at the versions of go.mod in
 * this folder. The Elasticsearch lacks modules of the full distribution: time series data streams and the templates for
 * OpenTelemetry.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { installPackages } from '../../setup.ts';
import { goBuild, moduleVersionOf, type Obtained } from '../obtain.ts';

const VERSION = '8.19.21';
const URL = `https://repo1.maven.org/maven2/org/elasticsearch/distribution/integ-test-zip/elasticsearch/${VERSION}/elasticsearch-${VERSION}.zip`;
const SHA512 =
  'cf6b0a93860d329937ae7f913ec5073b0c726c77639764b93fc83a304aa1dd9d4defcfa2849948eea3b0b47c2065f994908603939fc2a4774c9c4d868c5ec1dd';
const EXPORTER = 'github.com/open-telemetry/opentelemetry-collector-contrib/exporter/elasticsearchexporter';

/** @throws {Error} when the download fails, or has another checksum than SHA512 */
async function download(directory: string): Promise<void> {
  const server = join(directory, 'server');
  if (existsSync(server)) return;
  const answer = await fetch(URL);
  if (!answer.ok) throw new Error(`${URL}: ${answer.status} ${answer.statusText}`);
  const zip = Buffer.from(await answer.arrayBuffer());
  if (createHash('sha512').update(zip).digest('hex') !== SHA512)
    throw new Error(`${URL} has changed: its SHA-512 is not the expected one`);
  const path = join(directory, 'elasticsearch.zip');
  writeFileSync(path, zip);
  await promisify(execFile)('unzip', ['-q', '-o', path, '-d', directory]);
  rmSync(path);
  renameSync(join(directory, `elasticsearch-${VERSION}`), server);
}

/**
 * @returns the directory of `server` and the Collector, below `directory`
 * @throws {Error} when it cannot be built
 */
export async function obtainElasticsearch(directory: string): Promise<Obtained> {
  installPackages(['default-jre-headless', 'unzip']);
  const path = join(directory, `elasticsearch-${VERSION}`);
  mkdirSync(path, { recursive: true });
  await download(path);
  await goBuild(import.meta.dirname, ['-o', join(path, 'otelcol'), '.']);
  const exporter = await moduleVersionOf(import.meta.dirname, EXPORTER);
  return { path, version: `${VERSION}, elasticsearch exporter ${exporter}` };
}

/** The shipped recipes in config/: they are valid YAML, and the agent accepts its configuration in them. */

import { globSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import test from 'ava';
import { parse, parseAllDocuments } from 'yaml';
import { loadConfig } from '../../agent/process/load-config.ts';
import { resolveDestinations } from '../../config/destinations.ts';
import { jsonSchema } from '../../config/json-schema.ts';
import manifest from '../../package.json' with { type: 'json' };
import { temporaryDirectory } from '../support/temporary.ts';

const config = join(import.meta.dirname, '../../config');
const read = (path: string) => readFileSync(join(config, path), 'utf8');
const validate = new Ajv({ allowUnionTypes: true }).compile(jsonSchema());

test('every file is YAML, and names this version where it names one', (t) => {
  const files = globSync('**/*.yaml', { cwd: config });
  t.true(files.length > 10);
  for (const file of files) {
    const text = read(file);
    for (const { errors, warnings } of parseAllDocuments(text))
      t.deepEqual([...errors, ...warnings], [], file);
    for (const [, version] of text.matchAll(/portlight:(\d[\w.-]*)/g)) t.is(version, manifest.version, file);
  }
  const page = readFileSync(join(config, '../docs/deployment.md'), 'utf8');
  for (const [, version] of page.matchAll(/portlight[:-](\d+\.\d+\.\d+)/g)) t.is(version, manifest.version);
});

/** The agent's configuration in the DaemonSet's manifest. */
const inConfigMap = () =>
  parseAllDocuments(read('kubernetes/daemonset.yaml'))
    .map((document) => document.toJS())
    .find(({ kind }) => kind === 'ConfigMap').data['portlight.yaml'] as string;

test('the agent and its schema accept the configuration in the recipes; a gateway needs only an address', async (t) => {
  const env = { HOME: '/root', GATEWAY: 'http://gateway:4318', NODE_NAME: 'node-7' };
  const directory = temporaryDirectory(t);
  const files = {
    'portlight.yaml': read('portlight.yaml'),
    'grafana.yaml': read('grafana-stack/portlight.yaml'),
    'elastic.yaml': read('elastic/portlight.yaml'),
    'ecs.yaml': read('elastic/portlight-ecs.yaml'),
    'jaeger.yaml': read('jaeger/portlight.yaml'),
    'kubernetes.yaml': inConfigMap(),
  };
  for (const [name, text] of Object.entries(files)) {
    const path = join(directory, name);
    t.true(validate(parse(text)), `${name}: ${JSON.stringify(validate.errors)}`);
    writeFileSync(path, text);
    const { config: loaded } = await loadConfig({}, path, env);
    t.deepEqual(loaded.exporter, ['otlp'], name);
    const urls = resolveDestinations(loaded).flatMap(({ endpoints: targets }) =>
      Object.values(targets).map((to) => to?.url.href),
    );
    t.true(urls.length > 0, name);
  }
  const plain = join(directory, 'portlight.yaml');
  t.deepEqual(
    (await loadConfig({}, plain, { HOME: '/root' })).config.exporter,
    ['console'],
    'without a gateway',
  );
});

// biome-ignore-all lint/suspicious/noTemplateCurlyInString: templates of the configuration file are what is tested

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import test from 'ava';
import { parse } from 'yaml';
import { loadConfig } from '../../agent/process/load-config.ts';
import { jsonSchema } from '../../config/json-schema.ts';

const validate = new Ajv({ strict: true, allowUnionTypes: true }).compile(jsonSchema());

/** The places of a file that do not match the schema. */
function errorPlaces(content: string): string[] {
  validate(parse(content));
  return [...new Set((validate.errors ?? []).map(({ instancePath }) => instancePath))];
}

test('the example of the README, all defaults, and variables match the schema', async (t) => {
  const readme = readFileSync(join(import.meta.dirname, '../../README.md'), 'utf8');
  const shown = /```yaml\n(docker_host:[\s\S]*?)```/.exec(readme)![1]!;
  t.deepEqual(errorPlaces(shown), []);
  const { settings } = await loadConfig({}, undefined, { HOME: '/root' });
  for (const [path, { value }] of settings) {
    const keys = path.split('.');
    const file = keys.reduceRight<unknown>((below, key) => ({ [key]: below }), value);
    t.deepEqual(errorPlaces(JSON.stringify(file)), [], path);
  }
  t.deepEqual(
    errorPlaces(`
      interval: \${INTERVAL:-10s}
      exporter: otlp,console
      log_level: \${LEVEL}
      traces: {enabled: "\${TRACES}"}
      metrics:
      otlp: {endpoint: "\${GATEWAY}", signals: ["\${SIGNAL}", logs]}
      destinations: {second: {endpoint: http://second, containers: {include: name=web}}}
      alerts: {rules: [{name: mine, metric: container.cpu.time, condition: "> 1", for: "\${FOR:-5m}"}]}
    `),
    [],
  );
});

test('an invalid value is found at its place', (t) => {
  for (const [content, place] of [
    ['intervall: 10s', ''],
    ['interval: 10', '/interval'],
    ['interval: soon', '/interval'],
    ['log_level: loud', '/log_level'],
    ['exporter: [otlp, kafka]', '/exporter'],
    ['otlp: {endpoint: collector}', '/otlp/endpoint'],
    ['logs: {max_line: 1MB}', '/logs/max_line'],
    ['logs: {strip_ansi: yes please}', '/logs/strip_ansi'],
    ['destinations: {second: {signals: [logs]}}', '/destinations/second'],
    ['daemons: {far: {hots: "ssh://far"}}', '/daemons/far'],
    ['daemons: {far: {host: 1}}', '/daemons/far/host'],
    ['alerts: {rules: [{metric: container.cpu.time}]}', '/alerts/rules/0'],
    ['alerts: {webhooks: {chat: {url: http://chat, format: irc}}}', '/alerts/webhooks/chat/format'],
  ] as const)
    t.true(errorPlaces(content).includes(place), content);
});

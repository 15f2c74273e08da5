/** The daemons of a configuration, and problems of their options. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { loadConfig } from '../../agent/process/load-config.ts';
import { configuredEndpoints, mainEndpoint } from '../../agent/targets/endpoints.ts';
import { ConfigError } from '../../config/load.ts';
import { temporaryDirectory } from '../support/temporary.ts';

function file(t: ExecutionContext, content: string): string {
  const path = join(temporaryDirectory(t), 'portlight.yaml');
  writeFileSync(path, content);
  return path;
}

const load = (path: string, env = {}) => loadConfig({}, path, { HOME: '/nonexistent', ...env });

async function problemsOf(t: ExecutionContext, content: string): Promise<readonly string[]> {
  const path = file(t, content);
  const error = await t.throwsAsync(load(path), { instanceOf: ConfigError });
  return error!.problems.map((problem) => problem.replace(`${path}: `, ''));
}

test('named daemons replace the default one, and are added to docker_host', async (t) => {
  const named = file(
    t,
    'daemons: {a: {host: "unix:///a.sock"}, b: {host: "ssh://me@b:2222/run/docker.sock"}}',
  );
  const { config } = await load(named);
  t.deepEqual(
    configuredEndpoints(config).map(({ name, endpoint }) => [name, endpoint.host, endpoint.origin]),
    [
      ['a', 'unix:///a.sock', 'daemons.a'],
      ['b', 'ssh://me@b:2222/run/docker.sock', 'daemons.b'],
    ],
  );
  t.is(mainEndpoint(config).host, 'unix:///a.sock');
  const besides = await load(named, { PORTLIGHT_DOCKER_HOST: 'unix:///x.sock' });
  t.deepEqual(
    configuredEndpoints(besides.config).map(({ name }) => name),
    [undefined, 'a', 'b'],
  );
  t.is(mainEndpoint(besides.config).host, 'unix:///x.sock');
  t.deepEqual(
    configuredEndpoints((await load(file(t, 'docker_host: "unix:///x.sock"'))).config).map(
      ({ name }) => name,
    ),
    [undefined],
  );
});

test('certificates are read; an unreadable one is named', async (t) => {
  const directory = temporaryDirectory(t);
  for (const name of ['ca', 'cert', 'key']) writeFileSync(join(directory, name), name.toUpperCase());
  const options = {
    host: 'tcp://x:2376',
    certificate: join(directory, 'ca'),
    client_certificate: join(directory, 'cert'),
    client_key: join(directory, 'key'),
  };
  const { config } = await load(file(t, JSON.stringify({ daemons: { x: options } })));
  const [found] = configuredEndpoints(config);
  t.deepEqual([found?.endpoint.tls?.ca, found?.endpoint.tls?.cert, found?.endpoint.tls?.key].map(String), [
    'CA',
    'CERT',
    'KEY',
  ]);
  const lost = { ...options, client_key: join(directory, 'lost') };
  const other = await load(file(t, JSON.stringify({ daemons: { x: lost } })));
  t.throws(() => configuredEndpoints(other.config), {
    message: /^daemons\.x\.client_key: ENOENT.*expected a PEM file$/,
  });
  const gone = await load(file(t, 'daemons: {x: {context: gone}}'));
  t.throws(() => configuredEndpoints(gone.config), {
    message: 'daemons.x.context: Docker context "gone" does not exist or names no host',
  });
});

test('each problem names the option and what is expected', async (t) => {
  t.deepEqual(await problemsOf(t, 'daemons: {a: {}}'), [
    'daemons.a.host: is required; expected unix:///path, tcp://host:port, https://host:port or ssh://user@host, or a context',
  ]);
  t.deepEqual(await problemsOf(t, 'daemons: {a: {host: "ftp://x"}}'), [
    'daemons.a.host: "ftp://x" is not allowed; expected unix:///path, tcp://host:port, https://host:port or ssh://user@host',
  ]);
  t.deepEqual(await problemsOf(t, 'daemons: {a: {host: "tcp://x:1", context: y}}'), [
    'daemons.a.context: "y" cannot be combined with host',
  ]);
  t.deepEqual(await problemsOf(t, 'daemons: {a: {host: "tcp://x:1"}, b: {host: "tcp://x:1"}}'), [
    'daemons.b.host: "tcp://x:1" is already used by daemons.a',
  ]);
  t.deepEqual(await problemsOf(t, 'daemons: {a: {host: "tcp://x:1", client_key: /k}}'), [
    'daemons.a.client_certificate: is required with client_key; expected the path of a PEM file',
  ]);
  t.deepEqual(await problemsOf(t, 'daemons: {a: {host: "unix:///x", certificate: /c}}'), [
    'daemons.a.certificate: is for hosts of tcp:// and https:// only',
  ]);
  t.deepEqual(await problemsOf(t, 'daemons: {a: {context: x, client_certificate: /c, client_key: /k}}'), [
    'daemons.a.client_certificate: is for hosts of tcp:// and https:// only',
  ]);
  t.regex(
    (await problemsOf(t, 'daemons: {a: {host: "tcp://user:secret@x"}}'))[0]!,
    /^daemons\.a\.host: .* is not allowed/,
  );
  t.deepEqual(await problemsOf(t, 'daemons: {a: {hots: "unix:///x"}}'), [
    'daemons.a.hots: is not a known key; did you mean host?',
  ]);
  t.regex(
    (await problemsOf(t, 'daemons: [a]'))[0]!,
    /^daemons: \["a"\] is not allowed; expected names of letters/,
  );
});

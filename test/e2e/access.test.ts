/** Access control of a real agent, on loopback and beyond. */
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import test from 'ava';
import { AgentProcess, listenUrl, spawnAgent } from '../support/agent.ts';
import { closeBrowser, openPage } from '../support/page.ts';
import { temporaryDirectory } from '../support/temporary.ts';

test.after.always(closeBrowser);

interface Answer {
  readonly status: number;
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly body: string;
}

/** Unlike this, `fetch` does not allow other values of Host and Origin. */
function ask(url: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { headers, method }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => {
        body += text;
      });
      response.on('end', () => resolve({ status: response.statusCode!, headers: response.headers, body }));
    });
    sent.on('error', reject);
    sent.end();
  });
}

const PATHS = ['/api/containers', '/api/stream', '/metrics', '/metrics/cadvisor', '/status', '/api/agent'];

test('on loopback no token is required, and other sites get no data', async (t) => {
  const url = await listenUrl(await spawnAgent(t));
  const { port } = new URL(url);
  t.is((await ask(`${url}/api/containers`)).status, 200);
  for (const host of [`localhost:${port}`, `127.0.0.1:${port}`, `[::1]:${port}`, 'app.localhost'])
    t.is((await ask(`${url}/api/containers`, { host })).status, 200, host);
  for (const path of PATHS) {
    for (const host of [
      'evil.example',
      `evil.example:${port}`,
      'localhost.evil.example',
      '127.0.0.1.evil.example',
    ]) {
      const { status, body } = await ask(url + path, { host });
      t.is(status, 403, `${path} as ${host}`);
      t.regex(body, /dashboard\.hosts/);
    }
    for (const origin of ['http://evil.example', 'null', 'http://127.0.0.1:1', 'https://localhost'])
      t.is((await ask(url + path, { origin })).status, 403, `${path} from ${origin}`);
    t.is(
      (await ask(url + path, { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' })).status,
      403,
    );
  }
  t.is((await ask(`${url}/api/containers`, { origin: url })).status, 200);
  t.is((await ask(`${url}/healthz`, { host: 'probe' })).status, 200);
});

test('only GET and HEAD are allowed, and the security headers allow no foreign scripts', async (t) => {
  const url = await listenUrl(await spawnAgent(t));
  for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'])
    t.is((await ask(`${url}/api/containers`, {}, method)).status, 405, method);
  t.is((await ask(`${url}/api/containers`, {}, 'HEAD')).body, '');
  for (const path of ['/', '/api/containers', '/healthz', '/nothing', '/metrics']) {
    const { headers } = await ask(url + path);
    const policy = String(headers['content-security-policy']);
    t.true(policy.startsWith("default-src 'none'; script-src 'self';"), path);
    t.false(/unsafe|\*|data:|http/.test(policy));
    t.is(headers['x-content-type-options'], 'nosniff');
    t.is(headers['referrer-policy'], 'no-referrer');
    t.is(headers['access-control-allow-origin'], undefined);
  }
  for (const [path, expected] of [
    ['/api/container?id=nobody', 404],
    ['/api/logs?limit=many', 400],
    ['/api/image?id=../../info', 404],
    ['/../package.json', 404],
    ['/assets/..%2f..%2fpackage.json', 404],
  ] as const)
    t.is((await ask(url + path)).status, expected, path);
});

test('beyond loopback a token is generated, logged once and required; browsers log in with a form', async (t) => {
  const dataDirectory = temporaryDirectory(t);
  const beyond = ['--listen', '0.0.0.0:0', '--log-level', 'info'];
  const agent = await spawnAgent(t, { args: beyond, dataDirectory });
  const url = (await listenUrl(agent)).replace('0.0.0.0', '127.0.0.1');
  const path = join(dataDirectory, 'token');
  const token = readFileSync(path, 'utf8').trim();
  t.is(statSync(path).mode & 0o777, 0o600);
  t.true(token.length >= 40);
  t.is(agent.stderr.split(token).length, 2, 'logged once');

  const bearer = (given: string) => ({ authorization: `Bearer ${given}` });
  for (const each of PATHS.filter((one) => one !== '/api/stream')) {
    const { status, headers } = await ask(url + each);
    t.is(status, 401, each);
    t.regex(String(headers['www-authenticate']), /^Bearer/);
    t.is((await ask(url + each, bearer(`${token}x`))).status, 401);
    t.is((await ask(url + each, bearer(token.slice(0, -1)))).status, 401);
    t.is(
      (await ask(url + each, { cookie: `portlight-${new URL(url).port}=${token}` })).status,
      401,
      'the cookie is not the token',
    );
    t.is((await ask(`${url}${each}?token=${token}`)).status, 401, 'not in the address, which is logged');
    t.is((await ask(url + each, bearer(token))).status, 200);
  }
  // Prometheus may use any name for this host.
  t.is((await ask(`${url}/metrics`, { host: 'docker-1.example:9797', ...bearer(token) })).status, 200);
  t.is((await ask(`${url}/metrics`, { host: 'docker-1.example:9797' })).status, 403);
  for (const each of ['/healthz', '/', '/readyz']) t.is((await ask(url + each)).status, 200, each);
  const login = await ask(`${url}/api/login`, bearer(token));
  const [cookie = ''] = login.headers['set-cookie'] as string[];
  t.regex(cookie, /^portlight-\d+=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict; Max-Age=\d+$/);
  t.false(cookie.includes(token));
  t.is((await ask(`${url}/api/containers`, { cookie: cookie.split(';')[0]! })).status, 200);
  t.is((await ask(`${url}/api/login`, bearer('wrong'))).headers['set-cookie'], undefined);

  const { page } = await openPage(t, url);
  await page.getByLabel('Token').fill('certainly-not-this-one');
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.getByText('Invalid token').waitFor();
  await page.getByLabel('Token').fill(token);
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.getByText('live', { exact: true }).waitFor();
  await page.reload();
  await page.getByText('live', { exact: true }).waitFor();
  t.is(await page.evaluate('document.cookie'), '', 'scripts cannot read the cookie');

  const { page: other } = await openPage(t, `${url}/#token=${token}`);
  await other.getByText('live', { exact: true }).waitFor();
  t.false(other.url().includes(token), 'removed from the address');

  await agent.stop();
  const next = await spawnAgent(t, { args: beyond, dataDirectory });
  const nextUrl = (await listenUrl(next)).replace('0.0.0.0', '127.0.0.1');
  t.false(next.stderr.includes(token), 'not logged again');
  t.is((await ask(`${nextUrl}/api/containers`, bearer(token))).status, 200);
});

test('a token that is too short is refused', async (t) => {
  const dataDirectory = temporaryDirectory(t);
  writeFileSync(join(dataDirectory, 'token'), 'short\n');
  const { code, stderr } = await new AgentProcess(
    ['run', '--listen', '0.0.0.0:0', '--data-dir', dataDirectory],
    {},
    dataDirectory,
  ).exit;
  t.is(code, 1);
  t.regex(stderr, /token: token is too short; expected at least 16 characters/);
});

test('dashboard.hosts allows further host names', async (t) => {
  const agent = await spawnAgent(t, { variables: { PORTLIGHT_DASHBOARD_HOSTS: 'docker-1.example' } });
  const url = await listenUrl(agent);
  t.is((await ask(`${url}/api/containers`, { host: 'docker-1.example' })).status, 200);
  t.is((await ask(`${url}/api/containers`, { host: 'docker-2.example' })).status, 403);
});

test('the dashboard can be disabled', async (t) => {
  const url = await listenUrl(await spawnAgent(t, { variables: { PORTLIGHT_DASHBOARD_ENABLED: 'false' } }));
  t.is((await ask(`${url}/`)).status, 404);
  t.is((await ask(`${url}/api/containers`)).status, 404);
  t.is((await ask(`${url}/metrics`)).status, 200);
});

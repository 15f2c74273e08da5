/** Alerts to Alertmanagers and webhooks, which are HTTP servers of the test. No daemon is needed. */

import { createHmac } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import pino from 'pino';
import { loadConfig } from '../../agent/process/load-config.ts';
import { resolveAlertmanagers, resolveWebhooks, type Webhook } from '../../config/alert-receivers.ts';
import { AlertmanagerExporter } from '../../exporters/alertmanager/index.ts';
import type { Alert } from '../../exporters/alerts/alert.ts';
import { alertToJson } from '../../exporters/alerts/alert.ts';
import type { Batch } from '../../exporters/shared/batch.ts';
import { Telemetry } from '../../exporters/shared/telemetry.ts';
import { formatBody } from '../../exporters/webhook/body.ts';
import { WebhookExporter } from '../../exporters/webhook/index.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { waitFor } from '../support/wait.ts';

interface Seen {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** A server that answers with the given statuses, then with 200. */
async function receiver(t: ExecutionContext, statuses: number[] = []) {
  const seen: Seen[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    seen.push({ path: request.url!, headers: request.headers, body: Buffer.concat(chunks).toString() });
    response.writeHead(statuses.shift() ?? 200);
    response.end('{}');
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return { seen, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

const telemetryOf = () => {
  const lines: string[] = [];
  const logger = pino({ level: 'warn' }, { write: (line: string) => void lines.push(line) });
  return { telemetry: new Telemetry(logger), lines };
};

const alertOf = (facts: Partial<Alert> = {}): Alert => ({
  key: 'memory/abc',
  rule: 'memory',
  severity: 'warning',
  status: 'firing',
  startsAt: 1_767_225_600_000_000_000n,
  endsAt: undefined,
  resource: { 'container.id': 'abc', 'container.name': 'web', 'host.name': 'h', 'service.name': 'shop' },
  container: { id: 'abc', name: 'web', image: 'web:1' },
  value: 0.95,
  unit: '1',
  threshold: 0.9,
  limit: 1024 ** 2,
  limitUnit: 'By',
  labels: { team: 'shop' },
  annotations: { summary: 'web uses 95 % of "it"' },
  evidence: {
    seriesUnit: '1',
    seriesBound: 0.9,
    series: [[1, 0.9]],
    log: ['a line with `ticks`, <b>markup</b> & @everyone', 'last "line"'],
    events: ['start'],
    memory: { anon: 1 },
  },
  ...facts,
});

const resolved = (alert: Alert): Alert => ({
  ...alert,
  status: 'resolved',
  endsAt: alert.startsAt + 60_000_000_000n,
});

const alertBatch = (alert: Alert): Batch => ({
  signal: 'logs',
  kind: 'event',
  resource: { attributes: alert.resource, subject: { name: 'web', image: 'web:1', labels: {} } },
  count: 1,
  otlp: Buffer.from('of no matter'),
  alert,
});

async function webhookOf(text: Record<string, unknown>): Promise<Webhook> {
  const { config } = await loadConfig({ 'alerts.webhooks': { hook: text } }, undefined, {});
  return resolveWebhooks(config)[0]!;
}

test('a webhook gets each alert once, in order, after errors and across a restart', async (t) => {
  const { seen, url } = await receiver(t, [503, 500, 404]);
  const spool = temporaryDirectory(t);
  const { telemetry } = telemetryOf();
  const webhook = await webhookOf({ url: `${url}/hook` });
  const alert = alertOf();

  // No server listens: the alert waits, and another process sends it.
  const away = await webhookOf({ url: 'http://127.0.0.1:1/hook' });
  const first = await WebhookExporter.create(away, spool, telemetry);
  first.start();
  await first.export(alertBatch(alert));
  await first.shutdown(AbortSignal.timeout(500));

  const second = await WebhookExporter.create(webhook, spool, telemetry);
  second.start();
  void second.export(alertBatch(resolved(alert)));
  await waitFor('two accepted alerts', () => seen.length >= 4 || undefined);
  await second.shutdown(AbortSignal.timeout(1000));
  const bodies = seen.map(({ body }) => JSON.parse(body) as { type: string; data: { uid: string } });
  // Errors of the receiver are retried. A refused alert is not, and does not hold up the next one.
  t.deepEqual(
    bodies.map(({ type }) => type),
    ['firing', 'firing', 'firing', 'resolved'].map((status) => `portlight.alert.${status}`),
  );
  t.is(seen[0]!.headers['webhook-id'], seen[1]!.headers['webhook-id']);
  t.not(seen[2]!.headers['webhook-id'], seen[3]!.headers['webhook-id']);
});

test('a webhook gets only the alerts that it selects', async (t) => {
  const { seen, url } = await receiver(t);
  const { telemetry } = telemetryOf();
  const webhook = await webhookOf({
    url,
    min_severity: 'warning',
    resolved: false,
    containers: { include: ['name=w*'], exclude: ['name=wx'] },
  });
  const exporter = await WebhookExporter.create(webhook, undefined, telemetry);
  exporter.start();
  const alert = alertOf();
  const other = {
    ...alertBatch(alert),
    resource: { attributes: {}, subject: { name: 'wx', image: '', labels: {} } },
  };
  for (const batch of [
    alertBatch(resolved(alert)),
    alertBatch(alertOf({ severity: 'info' })),
    other as Batch,
  ])
    await exporter.export(batch);
  await exporter.export({ signal: 'alerts', alerts: [alert], count: 1 });
  await exporter.export(alertBatch(alertOf({ severity: 'critical' })));
  await exporter.shutdown(AbortSignal.timeout(1000));
  t.is(seen.length, 1);
  t.true(seen[0]!.body.includes('"severity":"critical"'));
});

test('requests are signed as Standard Webhooks specifies, with a secret from a file', async (t) => {
  const { seen, url } = await receiver(t);
  const { telemetry } = telemetryOf();
  const key = Buffer.from('0123456789abcdef01234567');
  const path = join(temporaryDirectory(t), 'secret');
  writeFileSync(path, `whsec_${key.toString('base64')}\n`);
  const exporter = await WebhookExporter.create(
    await webhookOf({ url, secret_file: path }),
    undefined,
    telemetry,
  );
  exporter.start();
  await exporter.export(alertBatch(alertOf()));
  await exporter.shutdown(AbortSignal.timeout(1000));
  const [{ headers, body }] = seen as [Seen];
  const id = String(headers['webhook-id']);
  const time = String(headers['webhook-timestamp']);
  t.regex(id, /^msg_[\w-]+$/);
  t.true(Math.abs(Number(time) - Date.now() / 1000) < 60);
  const expected = createHmac('sha256', key).update(`${id}.${time}.${body}`).digest('base64');
  t.is(headers['webhook-signature'], `v1,${expected}`);
  const missing = await webhookOf({ url, secret_file: '/nowhere' });
  await t.throwsAsync(WebhookExporter.create(missing, undefined, telemetry), {
    message: /^secret_file: cannot read \/nowhere/,
  });
});

test('chat messages have the expected format, and no markup from containers', (t) => {
  const alert = alertToJson(alertOf());
  const formatted = (format: Webhook['format'], given = alert) =>
    JSON.parse(formatBody(given, { format, template: undefined })) as never;
  const slack = formatted('slack') as { text: string; attachments: { text: string; color: string }[] };
  t.is(slack.text, 'Firing: memory of web');
  t.true(slack.attachments[0]!.text.includes('&lt;b&gt;markup&lt;/b&gt; &amp; @everyone'));
  t.is(slack.attachments[0]!.text.split('```').length, 3);
  const discord = formatted('discord') as {
    allowed_mentions: { parse: string[] };
    embeds: { fields: { name: string; value: string }[] }[];
  };
  t.deepEqual(discord.allowed_mentions.parse, []);
  t.true(discord.embeds[0]!.fields.every(({ value }) => value.length > 0 && value.length <= 1024));
  const teams = formatted('teams') as { attachments: { content: { body: { text?: string }[] } }[] };
  t.is(teams.attachments[0]!.content.body[0]!.text, 'Firing: memory of web');
  const end = formatted('slack', alertToJson(resolved(alertOf()))) as typeof slack;
  t.is(end.text, 'Resolved: memory of web');
  t.false(end.attachments[0]!.text.includes('```'));
  const long = alertToJson(
    alertOf({ evidence: { ...alertOf().evidence, log: Array(10).fill('x'.repeat(1000)) } }),
  );
  t.true(JSON.stringify(formatted('discord', long)).length < 6000);
});

test("a webhook's own template is rendered as JSON", (t) => {
  const template =
    '{"text": "{{summary}}: {{value}} of {{limit}} {{labels.team}}", "log": [{{#log}}"{{.}}",{{/log}} ""]}';
  const body = JSON.parse(formatBody(alertToJson(alertOf()), { format: 'json', template })) as object;
  t.deepEqual(body, {
    text: 'web uses 95 % of "it": 95 % of 1 MiB shop',
    log: ['a line with `ticks`, <b>markup</b> & @everyone', 'last "line"', ''],
  });
});

interface Posted {
  labels: Record<string, string>;
  annotations: Record<string, string>;
  startsAt: string;
  endsAt: string;
}

test('firing alerts are resent to an Alertmanager, and their end is sent once', async (t) => {
  const { seen, url } = await receiver(t, [503]);
  const { telemetry } = telemetryOf();
  const { config } = await loadConfig({ 'alerts.alertmanager.urls': `${url}/prefix/` }, undefined, {});
  const [endpoint] = resolveAlertmanagers(config.alerts);
  const exporter = await AlertmanagerExporter.create(endpoint!, 200, telemetry);
  exporter.start();
  const alert = alertOf();
  const state = (...alerts: Alert[]) => exporter.export({ signal: 'alerts', alerts, count: alerts.length });
  await state({ ...alert, status: 'pending' });
  await state(alert);
  await waitFor('repeated posts', () => seen.length >= 4 || undefined);
  await state(resolved(alert));
  const posted = () => seen.flatMap(({ body }) => JSON.parse(body) as Posted[]);
  const end = await waitFor('its end', () =>
    posted().find(({ endsAt }) => endsAt === '2026-01-01T00:01:00.000Z'),
  );
  const count = seen.length;
  await new Promise((resolve) => setTimeout(resolve, 500));
  t.is(seen.length, count);
  t.is(seen[0]!.path, '/prefix/api/v2/alerts');
  t.deepEqual(end.labels, {
    alertname: 'memory',
    severity: 'warning',
    instance: 'h',
    container: 'web',
    image: 'web:1',
    service: 'shop',
    team: 'shop',
  });
  const [first] = posted();
  t.is(first!.startsAt, '2026-01-01T00:00:00.000Z');
  t.true(Date.parse(first!.endsAt) > Date.now() - 60_000);
  t.is(first!.annotations.value, '95 %');
  t.true(first!.annotations.log!.includes('last "line"'));

  // A recreated container of the same name fires: the end of the old alert would resolve it.
  await state(resolved(alertOf({ key: 'memory/old' })), alertOf({ key: 'memory/new' }));
  await waitFor('the new alert', () => seen.length > count || undefined);
  t.true(
    posted()
      .slice(count)
      .every(({ endsAt }) => Date.parse(endsAt) > Date.now() - 60_000),
  );
  await exporter.shutdown(AbortSignal.timeout(1000));
});

test('an alert that an Alertmanager refuses is counted, and not sent again', async (t) => {
  const { seen, url } = await receiver(t, [400]);
  const { telemetry, lines } = telemetryOf();
  const { config } = await loadConfig({ 'alerts.alertmanager.urls': url }, undefined, {});
  const exporter = await AlertmanagerExporter.create(
    resolveAlertmanagers(config.alerts)[0]!,
    60_000,
    telemetry,
  );
  exporter.start();
  await exporter.export({ signal: 'alerts', alerts: [alertOf()], count: 1 });
  await waitFor('the warning', () => lines.length > 0 || undefined);
  await exporter.shutdown(AbortSignal.timeout(200));
  t.is(seen.length, 1);
  t.like([...telemetry.counterSeries('portlight.records.dropped')][0], {
    value: 1,
    attributes: { signal: 'alerts', reason: 'refused' },
  });
});

test('an alert that cannot be formatted does not hold up the others', async (t) => {
  const { seen, url } = await receiver(t);
  const { telemetry, lines } = telemetryOf();
  const { config } = await loadConfig({ 'alerts.alertmanager.urls': url }, undefined, {});
  const [endpoint] = resolveAlertmanagers(config.alerts);
  const exporter = await AlertmanagerExporter.create(endpoint!, 60_000, telemetry);
  exporter.start();
  const broken = alertOf({ key: 'memory/broken', startsAt: 10n ** 30n });
  await exporter.export({ signal: 'alerts', alerts: [broken, alertOf()], count: 2 });
  await waitFor('the other alert', () => seen.length > 0 || undefined);
  await exporter.shutdown(AbortSignal.timeout(200));
  t.is(seen.flatMap(({ body }) => JSON.parse(body) as Posted[]).length, 1);
  t.like(
    [...telemetry.counterSeries('portlight.records.dropped')],
    [{ value: 1, attributes: { signal: 'alerts', reason: 'exporter_error' } }],
  );
  t.is(lines.length, 1);
});

test('a webhook whose template throws drops the alert, counts it, and continues', async (t) => {
  const { seen, url } = await receiver(t);
  const { telemetry } = telemetryOf();
  const webhook = await webhookOf({ url });
  let isBroken = true;
  const exporter = await WebhookExporter.create(
    {
      ...webhook,
      get template() {
        return isBroken ? '{{#log}}' : undefined;
      },
    },
    undefined,
    telemetry,
  );
  exporter.start();
  await exporter.export(alertBatch(alertOf()));
  isBroken = false;
  await exporter.export(alertBatch(resolved(alertOf())));
  await waitFor('the other alert', () => seen.length > 0 || undefined);
  await exporter.shutdown(AbortSignal.timeout(1000));
  t.is(seen.length, 1);
  t.like(
    [...telemetry.counterSeries('portlight.records.dropped')],
    [{ value: 1, attributes: { signal: 'alerts', reason: 'refused' } }],
  );
});

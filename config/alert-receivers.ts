/** Who is told of alerts besides the OTLP destinations, with everything filled in. */
import { readFileSync } from 'node:fs';
import type { webhookFormats } from './alert-options.ts';
import { DEFAULT_TIMEOUT_MS, type HttpEndpoint, lowerCaseNames } from './destinations.ts';
import { parsePairs } from './receiver-options.ts';
import type { Config } from './schema.ts';
import type { AlertSeverity } from './severity.ts';

export interface Webhook {
  readonly name: string;
  readonly endpoint: HttpEndpoint;
  readonly format: (typeof webhookFormats)[number];
  /** Mustache template of the body; undefined where the format is it. */
  readonly template: string | undefined;
  /** File of the secret that requests are signed with. */
  readonly secretFile: string | undefined;
  readonly minSeverity: AlertSeverity;
  readonly resolved: boolean;
  readonly containers: { readonly include: readonly string[]; readonly exclude: readonly string[] };
  /** Bound of its spool, bytes. */
  readonly maxBytes: number;
  /** How long what it does not take is kept, ms. */
  readonly maxAgeMs: number;
  /** Bytes a second of what waited. */
  readonly backlogRate: number;
}

type RequestConfig = Pick<
  Config['alerts']['alertmanager'],
  'headers' | 'headers_file' | 'timeout' | 'certificate' | 'client_certificate' | 'client_key'
>;

const resolveEndpoint = (url: URL, said: RequestConfig): HttpEndpoint => ({
  url,
  headers: lowerCaseNames(parsePairs(said.headers ?? '') ?? {}),
  headersFile: said.headers_file,
  timeoutMs: said.timeout ?? DEFAULT_TIMEOUT_MS,
  certificate: said.certificate,
  clientCertificate: said.client_certificate,
  clientKey: said.client_key,
});

/** Of each Alertmanager, the way to its API for alerts. */
export function resolveAlertmanagers({ alertmanager }: Config['alerts']): HttpEndpoint[] {
  return alertmanager.urls.map((text) => {
    const url = new URL(text);
    url.pathname = `${url.pathname.replace(/\/$/, '')}/api/v2/alerts`;
    return resolveEndpoint(url, alertmanager);
  });
}

/** @throws {Error} naming the webhook whose template cannot be read */
export function resolveWebhooks({ alerts, spool }: Pick<Config, 'alerts' | 'spool'>): Webhook[] {
  return Object.entries(alerts.webhooks).map(([name, said]) => {
    let template: string | undefined;
    try {
      template = said.template === undefined ? undefined : readFileSync(said.template, 'utf8');
    } catch (error) {
      throw new Error(`alerts.webhooks.${name}.template: cannot be read: ${(error as Error).message}`);
    }
    return {
      name,
      endpoint: resolveEndpoint(new URL(said.url), said),
      format: said.format ?? 'json',
      template,
      secretFile: said.secret_file,
      minSeverity: said.min_severity ?? 'info',
      resolved: said.resolved ?? true,
      containers: { include: said.containers?.include ?? [], exclude: said.containers?.exclude ?? [] },
      maxBytes: spool.max_size,
      maxAgeMs: spool.max_age,
      backlogRate: spool.backlog_rate,
    };
  });
}

/** Alertmanagers and webhooks, with their options resolved. */
import { readFileSync } from 'node:fs';
import type { webhookFormats } from './alert-options.ts';
import { type HttpEndpoint, lowerCaseNames } from './destinations.ts';
import { parsePairs } from './receiver-options.ts';
import type { Config } from './schema.ts';
import type { AlertSeverity } from './severity.ts';

export interface Webhook {
  readonly name: string;
  readonly endpoint: HttpEndpoint;
  readonly format: (typeof webhookFormats)[number];
  /** Mustache template of the body; undefined: `format` decides. */
  readonly template: string | undefined;
  /** File with the secret that requests are signed with. */
  readonly secretFile: string | undefined;
  readonly minSeverity: AlertSeverity;
  /** Whether to post when an alert is resolved. */
  readonly resolved: boolean;
  readonly containers: { readonly include: readonly string[]; readonly exclude: readonly string[] };
  /** Maximum size of its spool. */
  readonly maxBytes: number;
  /** How long alerts that it does not accept are kept. */
  readonly maxAgeMs: number;
  /** Bytes per second to send of the backlog. */
  readonly backlogRate: number;
}

type RequestConfig = Pick<
  Config['alerts']['alertmanager'],
  'headers' | 'headers_file' | 'timeout' | 'certificate' | 'client_certificate' | 'client_key'
>;

const resolveEndpoint = (url: URL, options: RequestConfig): HttpEndpoint => ({
  url,
  headers: lowerCaseNames(parsePairs(options.headers ?? '') ?? {}),
  headersFile: options.headers_file,
  timeoutMs: options.timeout,
  certificate: options.certificate,
  clientCertificate: options.client_certificate,
  clientKey: options.client_key,
});

/** The alerts API of each Alertmanager. */
export function resolveAlertmanagers({ alertmanager }: Config['alerts']): HttpEndpoint[] {
  return alertmanager.urls.map((text) => {
    const url = new URL(text);
    url.pathname = `${url.pathname.replace(/\/$/, '')}/api/v2/alerts`;
    return resolveEndpoint(url, alertmanager);
  });
}

/** @throws {Error} when a template cannot be read; the message starts with the option's path */
export function resolveWebhooks({ alerts, spool }: Pick<Config, 'alerts' | 'spool'>): Webhook[] {
  return Object.entries(alerts.webhooks).map(([name, options]) => {
    let template: string | undefined;
    try {
      template = options.template === undefined ? undefined : readFileSync(options.template, 'utf8');
    } catch (error) {
      throw new Error(`alerts.webhooks.${name}.template: cannot be read: ${(error as Error).message}`);
    }
    return {
      name,
      endpoint: resolveEndpoint(new URL(options.url), options),
      format: options.format,
      template,
      secretFile: options.secret_file,
      minSeverity: options.min_severity,
      resolved: options.resolved,
      containers: { include: options.containers?.include ?? [], exclude: options.containers?.exclude ?? [] },
      maxBytes: spool.max_size,
      maxAgeMs: spool.max_age,
      backlogRate: spool.backlog_rate,
    };
  });
}

import type { Resource } from '../../collectors/records/records.ts';
import { type ContainerFilter, compileContainerFilter } from '../../collectors/shared/container-filter.ts';
import { errorMessage } from '../../collectors/shared/error-message.ts';
import type { Webhook } from '../../config/alert-receivers.ts';
import { alertSeverities } from '../../config/severity.ts';
import { type Alert, type AlertJson, alertFromJson, alertToJson } from '../alerts/alert.ts';
import { alertUid } from '../alerts/record.ts';
import { createHttpClient, postAlert } from '../sending/http-client.ts';
import { createRenewingTransport } from '../sending/renewing-transport.ts';
import { refused, type Transport } from '../sending/send-result.ts';
import { SpooledDelivery } from '../sending/spooled-delivery.ts';
import type { Batch } from '../shared/batch.ts';
import type { DestinationStatus, Exporter } from '../shared/exporter.ts';
import type { Telemetry } from '../shared/telemetry.ts';
import { formatBody } from './body.ts';
import { readSecret, signatureHeaders } from './signature.ts';

/** @throws {Error} when a file of the webhook cannot be read */
function createWebhookTransport(webhook: Webhook): Transport {
  const client = createHttpClient(webhook.endpoint);
  const secret = webhook.secretFile === undefined ? undefined : readSecret(webhook.secretFile);
  return {
    async send(request, span) {
      let body: string;
      let headers: Record<string, string>;
      try {
        const alert = JSON.parse(request.toString('utf8')) as AlertJson;
        body = formatBody(alert, webhook);
        const signature = signatureHeaders(
          alertUid(alertFromJson(alert)),
          body,
          secret,
          Math.floor(Date.now() / 1000),
        );
        headers = { 'content-type': 'application/json', ...signature };
      } catch (error) {
        // Another attempt would fail the same way, and must not hold up the next alert.
        return refused(errorMessage(error), false);
      }
      return postAlert(client, Buffer.from(body), headers, span);
    },
    close: () => client.close(),
  };
}

/** Posts alerts to a webhook as they fire and are resolved, one alert in each request. */
export class WebhookExporter implements Exporter {
  readonly name: string;
  private readonly webhook: Webhook;
  private readonly isSelected: ContainerFilter;
  private readonly delivery: SpooledDelivery;

  private constructor(webhook: Webhook, delivery: SpooledDelivery, name: string) {
    this.name = name;
    this.webhook = webhook;
    this.isSelected = compileContainerFilter(webhook.containers.include, webhook.containers.exclude);
    this.delivery = delivery;
  }

  /**
   * Name of the exporter and its spool. The dot keeps it distinct from OTLP destinations, whose names have
   * none.
   */
  static nameOf(webhook: string): string {
    return `webhook.${webhook}`;
  }

  /** @throws {Error} when a file that the webhook names cannot be read */
  static async create(
    webhook: Webhook,
    directory: string | undefined,
    telemetry: Telemetry,
  ): Promise<WebhookExporter> {
    const { maxBytes, maxAgeMs, backlogRate, endpoint } = webhook;
    const name = WebhookExporter.nameOf(webhook.name);
    const route = {
      lane: 'events',
      signal: 'alerts',
      transport: await createRenewingTransport(async () => createWebhookTransport(webhook)),
      origin: endpoint.url.origin,
      halve: () => undefined,
      countRecords: () => 1,
      joinBytes: 0,
    } as const;
    const bounds = { maxBytes, maxAgeMs, backlogRate, logsWait: true, metricsOrder: 'oldest' } as const;
    return new WebhookExporter(
      webhook,
      new SpooledDelivery({ name, directory, routes: [route], telemetry, ...bounds }),
      name,
    );
  }

  start(): void {
    this.delivery.start();
  }

  export(batch: Batch): Promise<void> {
    if (batch.signal !== 'logs' || batch.alert === undefined || !this.wants(batch.alert, batch.resource))
      return Promise.resolve();
    return this.delivery.enqueue('events', Buffer.from(JSON.stringify(alertToJson(batch.alert))), 1);
  }

  status(): DestinationStatus {
    return this.delivery.status();
  }

  shutdown(deadline: AbortSignal): Promise<void> {
    return this.delivery.shutdown(deadline);
  }

  private wants({ status, severity }: Alert, { subject }: Resource): boolean {
    const { resolved, minSeverity } = this.webhook;
    if (status === 'resolved' && !resolved) return false;
    if (alertSeverities.indexOf(severity) < alertSeverities.indexOf(minSeverity)) return false;
    return subject === undefined || this.isSelected(subject);
  }
}

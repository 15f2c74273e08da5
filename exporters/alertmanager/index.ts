/**
 * Posts alerts to one Alertmanager, as Prometheus does: it resends firing alerts until it has sent that they
 * are resolved. The agent keeps the state of alerts, so nothing is spooled.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { Backoff } from '../../collectors/shared/backoff.ts';
import { errorMessage } from '../../collectors/shared/error-message.ts';
import type { HttpEndpoint } from '../../config/destinations.ts';
import type { Alert } from '../alerts/alert.ts';
import { createHttpClient, postAlert } from '../sending/http-client.ts';
import { createRenewingTransport } from '../sending/renewing-transport.ts';
import type { Transport } from '../sending/send-result.ts';
import { createTracingTransport } from '../sending/tracing-transport.ts';
import type { Batch } from '../shared/batch.ts';
import type { DropReason } from '../shared/drop-reasons.ts';
import type { DestinationStatus, Exporter } from '../shared/exporter.ts';
import type { Telemetry } from '../shared/telemetry.ts';
import { formatAlert, labelsOf, type PostableAlert } from './message.ts';

const MAX_BACKOFF_MS = 30_000;
const MAX_ALERTS_PER_REQUEST = 64;
/** The Alertmanager resolves a firing alert after this many resend intervals without it. */
const RESOLVE_AFTER_INTERVALS = 4;

/** @throws {Error} when a file of the endpoint cannot be read */
function createAlertmanagerTransport(endpoint: HttpEndpoint): Transport {
  const client = createHttpClient(endpoint);
  return {
    send: (request, span) => postAlert(client, request, { 'content-type': 'application/json' }, span),
    close: () => client.close(),
  };
}

/** The state of an alert that was posted last. */
interface PostedState {
  readonly status: Alert['status'];
  readonly startsAt: bigint;
  /** ms of performance.now() */
  readonly at: number;
}

export class AlertmanagerExporter implements Exporter {
  readonly name: string;
  private readonly resendMs: number;
  private readonly transport: Transport;
  private readonly telemetry: Telemetry;
  private readonly ending = new AbortController();
  private readonly backoff = new Backoff(MAX_BACKOFF_MS, this.ending.signal);
  private alerts: readonly Alert[] = [];
  private readonly posted = new Map<string, PostedState>();
  private isReachable = true;
  private running: Promise<void> = Promise.resolve();
  private wake = () => {};

  private constructor(name: string, resendMs: number, transport: Transport, telemetry: Telemetry) {
    this.name = name;
    this.resendMs = resendMs;
    this.transport = createTracingTransport(transport, telemetry, { signal: 'alerts', destination: name });
    this.telemetry = telemetry;
  }

  /** @throws {Error} when a file of the endpoint cannot be read */
  static async create(
    endpoint: HttpEndpoint,
    resendMs: number,
    telemetry: Telemetry,
  ): Promise<AlertmanagerExporter> {
    const transport = await createRenewingTransport(async () => createAlertmanagerTransport(endpoint));
    return new AlertmanagerExporter(
      `alertmanager ${endpoint.url.host}${endpoint.url.pathname.replace(/\/api\/v2\/alerts$/, '')}`,
      resendMs,
      transport,
      telemetry,
    );
  }

  start(): void {
    this.running = this.run();
  }

  async export(batch: Batch): Promise<void> {
    if (batch.signal !== 'alerts') return;
    this.alerts = batch.alerts.filter(({ status }) => status !== 'pending');
    const known = new Set(this.alerts.map(({ key }) => key));
    for (const key of this.posted.keys()) if (!known.has(key)) this.posted.delete(key);
    this.wake();
  }

  status(): DestinationStatus {
    return { isReachable: this.isReachable, waiting: [] };
  }

  async shutdown(deadline: AbortSignal): Promise<void> {
    while (!deadline.aborted && this.isReachable && this.dueAlerts().some((alert) => this.isNews(alert)))
      await sleep(10);
    this.ending.abort();
    this.wake();
    this.transport.close();
    await this.running;
  }

  private async run(): Promise<void> {
    const { signal } = this.ending;
    while (!signal.aborted) {
      const due = this.dueAlerts().slice(0, MAX_ALERTS_PER_REQUEST);
      if (due.length === 0) await this.waitForChange();
      else {
        try {
          await this.post(due);
        } catch (error) {
          this.telemetry.reportError('alertmanager', error);
          await this.backoff.wait();
        }
      }
    }
  }

  /** Resolves when alerts change, or when one may be due again. */
  private async waitForChange(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.wake = resolve;
    const timer = setTimeout(resolve, this.resendMs / 4);
    await promise;
    clearTimeout(timer);
  }

  private isNews({ key, status, startsAt }: Alert): boolean {
    const posted = this.posted.get(key);
    return posted === undefined || posted.status !== status || posted.startsAt !== startsAt;
  }

  private dueAlerts(): Alert[] {
    const now = performance.now();
    return this.alerts.filter(
      (alert) =>
        this.isNews(alert) ||
        (alert.status === 'firing' && now - this.posted.get(alert.key)!.at >= this.resendMs),
    );
  }

  private async post(due: readonly Alert[]): Promise<void> {
    const messages = this.formatAll(due);
    // An alert of a container that replaces another of the same name has the labels of the old one's: the end
    // of the old one would resolve it.
    const firing = new Set(
      this.alerts.filter(({ status }) => status === 'firing').map((alert) => JSON.stringify(labelsOf(alert))),
    );
    const sent = messages.filter(
      ({ alert, message }) => alert.status === 'firing' || !firing.has(JSON.stringify(message.labels)),
    );
    const body = Buffer.from(JSON.stringify(sent.map(({ message }) => message)));
    const result = sent.length === 0 ? undefined : await this.transport.send(body);
    if (result?.kind === 'refused' && due.length > 1) {
      // One alert is the cause: the others are posted without it.
      for (const { alert } of messages) await this.post([alert]);
      return;
    }
    const labels = { signal: 'alerts', destination: this.name };
    if (result?.kind === 'unreachable' || result?.kind === 'retry') {
      this.isReachable = false;
      this.telemetry.count('portlight.exporter.retries', 1, labels);
      this.telemetry.warn(`${this.name}: cannot post alerts: ${result.message}`, {}, `retry ${this.name}`);
      const afterMs = result.kind === 'retry' ? (result.afterMs ?? 0) : 0;
      const { signal } = this.ending;
      await Promise.all([this.backoff.wait(), sleep(afterMs, undefined, { signal }).catch(() => {})]);
      return;
    }
    this.isReachable = true;
    this.backoff.reset();
    this.markPosted(due);
    if (result === undefined || result.kind === 'accepted') {
      this.telemetry.count('portlight.records.sent', sent.length, labels);
      this.telemetry.count('portlight.exporter.sent', body.length, labels);
      return;
    }
    this.drop(sent.length, result.kind, `the receiver refused the alert ${due[0]!.rule}: ${result.message}`);
  }

  /** Formats alerts. One that cannot be formatted is dropped, so that it does not hold up the others. */
  private formatAll(due: readonly Alert[]): { alert: Alert; message: PostableAlert }[] {
    const until = Date.now() + RESOLVE_AFTER_INTERVALS * this.resendMs;
    return due.flatMap((alert) => {
      try {
        return [{ alert, message: formatAlert(alert, until) }];
      } catch (error) {
        this.markPosted([alert]);
        this.drop(1, 'exporter_error', `cannot format the alert ${alert.rule}: ${errorMessage(error)}`);
        return [];
      }
    });
  }

  private markPosted(alerts: readonly Alert[]): void {
    const at = performance.now();
    for (const { key, status, startsAt } of alerts) this.posted.set(key, { status, startsAt, at });
  }

  private drop(count: number, reason: DropReason, message: string): void {
    this.telemetry.count('portlight.records.dropped', count, {
      signal: 'alerts',
      destination: this.name,
      reason,
    });
    this.telemetry.warn(`${this.name}: ${message}`, {}, `${reason} ${this.name}`);
  }
}

/**
 * Posts alerts to one Alertmanager, as Prometheus does: what fires again and again, until it is told that it is resolved.
 * What has to be told is the state of the alerts, which the agent keeps: there is nothing to be spooled.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { Backoff } from '../../collectors/shared/backoff.ts';
import type { HttpEndpoint } from '../../config/destinations.ts';
import type { Alert } from '../alerts/alert.ts';
import { posted, posterOf } from '../sending/post.ts';
import { renewed } from '../sending/renewed.ts';
import type { Transport } from '../sending/verdict.ts';
import type { Batch } from '../shared/batch.ts';
import type { DestinationStatus, Exporter } from '../shared/exporter.ts';
import type { Telemetry } from '../shared/telemetry.ts';
import { labelsOf, postable } from './message.ts';

const LONGEST_WAIT_MS = 30_000;
/** Alerts in one request. */
const MOST = 64;
/** Times of resending without which a firing alert counts as resolved. */
const PATIENCE = 4;

/** @throws {Error} when a file of the endpoint cannot be read */
function transportTo(endpoint: HttpEndpoint): Transport {
  const poster = posterOf(endpoint);
  return {
    send: (request) => posted(poster, request, { 'content-type': 'application/json' }),
    close: () => poster.close(),
  };
}

/** What was posted of an alert last. */
interface Posted {
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
  private readonly backoff = new Backoff(LONGEST_WAIT_MS, this.ending.signal);
  private alerts: readonly Alert[] = [];
  private readonly posted = new Map<string, Posted>();
  private isReachable = true;
  private running: Promise<void> = Promise.resolve();
  private wake = () => {};

  private constructor(name: string, resendMs: number, transport: Transport, telemetry: Telemetry) {
    this.name = name;
    this.resendMs = resendMs;
    this.transport = transport;
    this.telemetry = telemetry;
  }

  /** @throws {Error} when a file of the endpoint cannot be read */
  static async create(
    endpoint: HttpEndpoint,
    resendMs: number,
    telemetry: Telemetry,
  ): Promise<AlertmanagerExporter> {
    const transport = await renewed(async () => transportTo(endpoint));
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
    while (!deadline.aborted && this.isReachable && this.due().some((alert) => this.isNews(alert)))
      await sleep(10);
    this.ending.abort();
    this.wake();
    this.transport.close();
    await this.running;
  }

  private async run(): Promise<void> {
    const { signal } = this.ending;
    while (!signal.aborted) {
      const due = this.due().slice(0, MOST);
      if (due.length === 0) await this.something();
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

  /** Resolves when there are other alerts, or it is time to look again. */
  private async something(): Promise<void> {
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

  private due(): Alert[] {
    const now = performance.now();
    return this.alerts.filter(
      (alert) =>
        this.isNews(alert) ||
        (alert.status === 'firing' && now - this.posted.get(alert.key)!.at >= this.resendMs),
    );
  }

  private async post(due: readonly Alert[]): Promise<void> {
    const until = Date.now() + PATIENCE * this.resendMs;
    const messages = due.map((alert) => ({ alert, message: postable(alert, until) }));
    // One that was made anew under the same name has the alert of the one before it.
    const firing = new Set(
      this.alerts.filter(({ status }) => status === 'firing').map((alert) => JSON.stringify(labelsOf(alert))),
    );
    const sent = messages.filter(
      ({ alert, message }) => alert.status === 'firing' || !firing.has(JSON.stringify(message.labels)),
    );
    const body = Buffer.from(JSON.stringify(sent.map(({ message }) => message)));
    const verdict = sent.length === 0 ? undefined : await this.transport.send(body);
    if (verdict?.kind === 'refused' && due.length > 1) {
      // The others are not to suffer for one of them.
      for (const one of due) await this.post([one]);
      return;
    }
    const labels = { signal: 'alerts', destination: this.name };
    if (verdict?.kind === 'away' || verdict?.kind === 'retry') {
      this.isReachable = false;
      this.telemetry.count('portlight.exporter.retries', 1, labels);
      this.telemetry.warn(`${this.name}: cannot post alerts: ${verdict.message}`, {}, `retry ${this.name}`);
      const afterMs = verdict.kind === 'retry' ? (verdict.afterMs ?? 0) : 0;
      const { signal } = this.ending;
      await Promise.all([this.backoff.wait(), sleep(afterMs, undefined, { signal }).catch(() => {})]);
      return;
    }
    this.isReachable = true;
    this.backoff.reset();
    const at = performance.now();
    for (const { key, status, startsAt } of due) this.posted.set(key, { status, startsAt, at });
    if (verdict === undefined || verdict.kind === 'accepted') {
      this.telemetry.count('portlight.records.sent', sent.length, labels);
      this.telemetry.count('portlight.exporter.sent', body.length, labels);
      return;
    }
    this.telemetry.count('portlight.records.dropped', sent.length, { ...labels, reason: verdict.kind });
    this.telemetry.warn(
      `${this.name}: the alert ${due[0]!.rule} was refused: ${verdict.message}`,
      {},
      `refused ${this.name}`,
    );
  }
}

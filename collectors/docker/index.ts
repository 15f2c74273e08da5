/**
 * Follows one daemon: its events, and the containers that exist. The event stream is the trigger. The inventory, taken
 * after each connect and every few minutes, is the safety net. Both decide which containers other collectors follow.
 *
 * This file wires the parts. Each part does one thing: Subscription connects, EventCursor recognises repeats,
 * ObjectQueue orders, EventHandler processes one event, Inventory describes, Reconciler finds what is missing.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import type Docker from 'dockerode';
import type { DockerVersion } from 'dockerode';
import { catalogue } from '../catalogue/index.ts';
import type { ContainerListener } from '../lifecycle/container-listener.ts';
import { LifecycleReporter, type LifecycleReporterOptions } from '../lifecycle/lifecycle-reporter.ts';
import type { RecordSink } from '../records/collector.ts';
import {
  type Attributes,
  type Container,
  type PointSink,
  type Resource,
  type UnixNano,
  unixNow,
} from '../records/records.ts';
import { ContainerRegistry, type ContainerRegistryOptions } from './container-registry.ts';
import { DaemonAbsence } from './daemon-absence.ts';
import { EventCursor, type EventPosition } from './event-cursor.ts';
import { EventHandler } from './event-handler.ts';
import { type RememberedEvents, readRememberedEvents } from './event-stream.ts';
import { Inventory } from './inventory.ts';
import { ObjectQueue } from './object-queue.ts';
import { Reconciler } from './reconciler.ts';
import { Subscription } from './subscription.ts';

/** How long closing waits for an answer of the daemon. */
const CLOSE_MS = 500;
/** Interval between two comparisons of what exists with what was reported. */
const RECONCILE_MS = 300_000;

export interface DockerCollectorOptions
  extends Pick<ContainerRegistryOptions, 'docker' | 'isWantedLabel' | 'selects' | 'optionalAttributes'>,
    LifecycleReporterOptions {
  readonly docker: Docker;
  /** Attributes of the host and the daemon that every container has; requested after each connect. */
  readonly surroundings: () => Promise<Attributes>;
  /** The resource of events that are about no container. */
  readonly host: () => Resource;
  readonly sink: RecordSink;
  readonly lifecycle: ContainerListener;
  readonly position: EventPosition;
  /** Whether events are reported that are about no observed container. */
  readonly reportsObjects: boolean;
  /** Called with the daemon's version after each connect. */
  readonly onVersion: (version: DockerVersion) => void;
  /** Called with the type of each object that changed and is no container. */
  readonly onObjectChanged: (type: string) => void;
  /** Called after each reconciliation: other objects can have changed without an event too. */
  readonly onReconciled: () => void;
}

export class DockerCollector {
  readonly name = 'docker';
  private readonly options: DockerCollectorOptions;
  private readonly stopping = new AbortController();
  private readonly absence = new DaemonAbsence();
  private readonly cursor: EventCursor;
  private readonly queue: ObjectQueue;
  private readonly reporter: LifecycleReporter;
  private readonly registry: ContainerRegistry;
  private readonly inventory: Inventory;
  private readonly handler: EventHandler;
  private readonly reconciler: Reconciler;
  private readonly subscription: Subscription;
  private running: Promise<void> | undefined;
  private reconcileTimer: NodeJS.Timeout | undefined;
  private onReady: (() => void) | undefined;

  constructor(options: DockerCollectorOptions) {
    this.options = options;
    const { docker, lifecycle } = options;
    const { signal } = this.stopping;
    const onError = (error: unknown) => this.reportError(error);
    const isConnected = () => this.connected;
    this.cursor = new EventCursor(options.position);
    this.queue = new ObjectQueue(onError);
    this.reporter = new LifecycleReporter(options);
    this.registry = new ContainerRegistry({
      ...options,
      isRemoved: (id) => this.reporter.isRemoved(id),
      onRemoved: (container) => lifecycle.containerRemoved(container),
      onError,
      signal,
    });
    const { cursor, queue, reporter, registry, absence } = this;
    this.inventory = new Inventory({
      ...{ docker, registry, isConnected, onError, signal },
      onUndescribed: (id) => this.reconciler.describeLater(id),
    });
    const parts = { cursor, queue, reporter, registry, absence, inventory: this.inventory, onError };
    this.handler = new EventHandler({ ...options, ...parts, signal });
    this.reconciler = new Reconciler({
      ...options,
      ...parts,
      isConnected,
      processEventsSince: (time) => this.processEventsSince(time),
    });
    this.subscription = new Subscription(docker, signal, {
      resumeTime: () => cursor.resumeTime,
      catchUp: (since, lost) => this.catchUp(since, lost),
      onConnected: () => {
        this.onReady?.();
        this.onReady = undefined;
      },
      onEvent: (event) => this.handler.receive(event),
      onLost: () => absence.recordLoss(registry.known.values(), (id) => reporter.stateOf(id)),
      onError: (error) => {
        onError(error);
        absence.recordError(error);
      },
      onMalformed: onError,
    });
  }

  /** Whether the event stream is connected and the inventory taken. */
  get connected(): boolean {
    return this.subscription.isConnected;
  }

  /** The observed containers that exist, by id. */
  get containers(): ReadonlyMap<string, Container> {
    return this.registry.known;
  }

  /**
   * Subscribes, and stays subscribed until `close`.
   * @param onReady called once, when the containers that exist are known
   */
  start(onReady: () => void): void {
    this.onReady = onReady;
    this.running = this.subscription.run().catch((error) => this.reportError(error));
    this.reconcileTimer = setInterval(() => {
      if (this.connected) this.reconciler.reconcile().catch((error) => this.reportError(error));
    }, RECONCILE_MS).unref();
  }

  async close(): Promise<void> {
    this.stopping.abort();
    clearInterval(this.reconcileTimer);
    // A daemon that does not answer must not delay the agent's end.
    await Promise.race([this.running, sleep(CLOSE_MS, undefined, { ref: false })]);
  }

  /** Whether the container exists, observed or not. */
  exists(id: string): boolean {
    return this.inventory.isListed(id) || this.containers.has(id);
  }

  /** The number of containers of each status. */
  collectHost(points: PointSink): void {
    const counts = new Map<string, number>();
    for (const { status } of this.containers.values()) counts.set(status, (counts.get(status) ?? 0) + 1);
    for (const [status, value] of counts) {
      points.push({ metric: catalogue.daemonContainers, value, attributes: { 'container.status': status } });
    }
  }

  /** Reports what happened before the subscription: first from the daemon's memory, then from the inventory. */
  private async catchUp(since: UnixNano, lost: Promise<never>): Promise<void> {
    const { docker, surroundings, onVersion } = this.options;
    const { cursor, absence, reporter, queue } = this;
    const [version, attributes] = await Promise.all([docker.version(), surroundings()]);
    onVersion(version);
    this.registry.setDaemon(version, attributes);
    const remembered = await this.readRemembered(cursor.landmarkTime);
    for (const container of absence.recordReturn(remembered, cursor))
      reporter.reportStoppedByDaemon(container).catch((error) => this.reportError(error));
    const newest = remembered.events.at(-1);
    if (newest !== undefined) cursor.setLandmark(newest);
    for (const event of remembered.events) if (BigInt(event.timeNano) >= since) this.handler.receive(event);
    // An event can wait for the next daemon, which is on the other side of another connection.
    await Promise.race([queue.whenIdle(), lost]);
    await this.reconciler.reconcile();
  }

  private async processEventsSince(time: UnixNano): Promise<void> {
    const { events } = await this.readRemembered(this.cursor.overlapping(time));
    for (const event of events) this.handler.receive(event);
    await this.queue.whenIdle();
  }

  /** What the daemon remembers of the time since `time`. */
  private readRemembered(time: UnixNano): Promise<RememberedEvents> {
    const onMalformed = (error: unknown) => this.reportError(error);
    return readRememberedEvents(this.options.docker, time, unixNow(), this.stopping.signal, onMalformed);
  }

  private reportError(error: unknown): void {
    this.options.sink.reportError(this.name, error);
  }
}

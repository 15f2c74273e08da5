/**
 * Compares the containers that exist with what was reported. What happened without an event is reported as if the
 * daemon had sent one. docs/internals/event-reconciliation.md describes the protocol.
 */
import type { ContainerListener } from '../lifecycle/container-listener.ts';
import type { LifecycleReporter } from '../lifecycle/lifecycle-reporter.ts';
import { missedEvents } from '../lifecycle/missed-events.ts';
import { type Container, type UnixNano, unixNow } from '../records/records.ts';
import type { ContainerRegistry } from './container-registry.ts';
import type { DaemonAbsence } from './daemon-absence.ts';
import type { Inventory } from './inventory.ts';
import type { ObjectQueue } from './object-queue.ts';

/**
 * What seems to be missing is concluded only if it still is after this time, and nothing else of the container was
 * reported meanwhile: the daemon shows some changes before it sends their events.
 */
const CONFIRM_AFTER_MS = 2000;
/** How often a container of which other events keep coming is compared again. */
const MAX_CONFIRMATIONS = 3;
/** How often a container is requested again that the daemon did not describe; after that, at the next reconciliation. */
const MAX_DESCRIPTIONS = 5;

export interface ReconcilerOptions {
  readonly registry: ContainerRegistry;
  readonly inventory: Inventory;
  readonly reporter: LifecycleReporter;
  readonly queue: ObjectQueue;
  readonly absence: DaemonAbsence;
  readonly lifecycle: ContainerListener;
  /** Processes the daemon's events since that time, and resolves when all are processed. */
  readonly processEventsSince: (time: UnixNano) => Promise<void>;
  readonly isConnected: () => boolean;
  readonly onReconciled: () => void;
  readonly onError: (error: unknown) => void;
  /** `CONFIRM_AFTER_MS` by default. */
  readonly confirmAfterMs?: number;
}

/** Containers of which events seem to be missing, and how many events were reported of each. */
type Suspects = ReadonlyMap<string, number>;

export class Reconciler {
  private readonly options: ReconcilerOptions;
  /** Containers that existed before the baseline, and could not be described then. */
  private readonly undescribed = new Set<string>();
  /** How often each container was requested again, for those that the daemon has not described yet. */
  private readonly descriptions = new Map<string, number>();

  constructor(options: ReconcilerOptions) {
    this.options = options;
  }

  /**
   * Compares all containers. Differences are concluded some seconds later.
   * @throws when the daemon does not answer
   */
  async reconcile(): Promise<void> {
    const { registry, inventory, reporter, queue } = this.options;
    // A container that is created while the daemon makes its list need not be on the list.
    const knownBefore = [...reporter.reportedIds(), ...registry.known.keys()];
    const began = unixNow();
    const { ids, found } = await inventory.takeSnapshot();
    // The events of what was found are reported before it is compared.
    await this.options.processEventsSince(began);
    const suspects = new Map<string, number>();
    for (const id of new Set([...ids, ...knownBefore])) {
      queue.run([id], async () => {
        if (registry.ignored.has(id)) reporter.forgetContainer(id);
        else if (this.seemsIncomplete(id, found.get(id), ids.has(id)))
          suspects.set(id, reporter.eventCountOf(id));
      });
    }
    await queue.whenIdle();
    reporter.keepBaseline();
    this.confirmLater(suspects, MAX_CONFIRMATIONS);
    this.options.onReconciled();
  }

  /**
   * Describes a container again that the daemon was too slow to describe: under load it can take seconds for a container
   * that starts. Without it, the collectors would know the container only after the next reconciliation.
   */
  describeLater(id: string): void {
    const { inventory, registry, queue, isConnected, confirmAfterMs = CONFIRM_AFTER_MS } = this.options;
    const attempt = (this.descriptions.get(id) ?? 0) + 1;
    this.descriptions.set(id, attempt);
    if (attempt > MAX_DESCRIPTIONS) {
      this.descriptions.delete(id);
      return;
    }
    const describe = async () => {
      // After a reconnect everything is compared anyway.
      const container = isConnected() && !registry.ignored.has(id) ? await inventory.describe(id) : undefined;
      if (container !== undefined) this.announce(container);
      // The description failed again, and the next attempt is due.
      if (this.descriptions.get(id) === attempt) this.descriptions.delete(id);
    };
    setTimeout(() => queue.run([id], describe), confirmAfterMs * attempt).unref();
  }

  /** Compares the suspects once more, after the daemon had time to send the missing events. */
  private confirmLater(suspects: Suspects, rounds: number): void {
    if (suspects.size === 0 || rounds === 0) return;
    const { isConnected, onError, confirmAfterMs = CONFIRM_AFTER_MS } = this.options;
    const onFailed = (error: unknown) => {
      onError(error);
      // A daemon that did not answer in time is asked again. After a reconnect, everything is compared anyway.
      if (isConnected()) this.confirmLater(suspects, rounds);
    };
    setTimeout(() => this.confirm(suspects, rounds).catch(onFailed), confirmAfterMs).unref();
  }

  /** Concludes what is still missing. Suspects of which other events were reported meanwhile are confirmed later. */
  private async confirm(suspects: Suspects, rounds: number): Promise<void> {
    const { inventory, reporter, queue, isConnected } = this.options;
    if (!isConnected()) return;
    const began = unixNow();
    const { ids, found } = await inventory.takePartialSnapshot((id) => suspects.has(id));
    await this.options.processEventsSince(began);
    const unconfirmed = new Map<string, number>();
    for (const [id, count] of suspects) {
      queue.run([id], async () => {
        if (reporter.eventCountOf(id) !== count) unconfirmed.set(id, reporter.eventCountOf(id));
        else if (found.has(id) || !ids.has(id)) this.concludeMissed(id, found.get(id));
      });
    }
    await queue.whenIdle();
    this.confirmLater(unconfirmed, rounds - 1);
  }

  /**
   * Announces a container that exists to the collectors.
   * @param found undefined if the daemon could not describe it, or no longer has it
   * @returns whether events seem to be missing
   */
  private seemsIncomplete(id: string, found: Container | undefined, exists: boolean): boolean {
    const { registry, reporter } = this.options;
    const container = registry.known.get(id);
    const isReported = reporter.stateOf(id) !== undefined;
    if (found === undefined) {
      if (exists && !reporter.hasBaseline) this.undescribed.add(id);
      return !exists && (isReported || container !== undefined);
    }
    if (container === undefined) return false;
    const isOld = !reporter.hasBaseline || this.undescribed.has(id);
    if (!isReported && isOld) reporter.adoptContainer(container);
    this.undescribed.delete(id);
    this.announce(container);
    return missedEvents(id, reporter.stateOf(id), found, unixNow()).length > 0;
  }

  /** Attaches the collectors to a container that has started; the rest of its log is read even if it has ended. */
  private announce(container: Container): void {
    const { lifecycle, onError } = this.options;
    if (container.startedAt === 0n) return;
    lifecycle.containerStarted(container);
    if (container.pid === 0) lifecycle.containerStopped(container).catch(onError);
  }

  /** @param found undefined if the container no longer exists */
  private concludeMissed(id: string, found: Container | undefined): void {
    const { registry, reporter, absence, onError } = this.options;
    const container = registry.known.get(id);
    const state = reporter.stateOf(id);
    const events = missedEvents(id, state, found, unixNow());
    const actor = events[0]?.Actor.Attributes ?? {};
    const subject = container ?? (events.length > 0 ? registry.fromMemory(id, actor, state) : undefined);
    if (subject !== undefined)
      reporter.reportConcluded(subject, events, (time) => absence.includes(time)).catch(onError);
    if (found === undefined && container !== undefined) registry.remove(container);
  }
}

/**
 * The way of one event, from the daemon to the emitted record:
 *
 * 1. `receive`: repeats are dropped, and the event is classified.
 * 2. `anticipate`: what cannot wait for earlier events of the object is done at once.
 * 3. The object's queue: the following steps wait for all earlier events of the same object.
 * 4. `findContainer`: the container is inspected if the event changes it; events of ignored containers end here.
 * 5. `applyToRun`: the container's run starts, changes or ends, and its collectors are attached or detached.
 * 6. `awaitExitEvidence`: an exit waits for the last log lines and for a late OOM kill.
 * 7. `reportEvent`: the record is emitted, with what must have happened before it.
 * 8. `applyEffects`: what follows from the event is updated.
 * 9. `acknowledge`: once every exporter has accepted the record, the position can advance.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ContainerListener } from '../lifecycle/container-listener.ts';
import { type ClassifiedEvent, classifyEvent, type DockerEvent } from '../lifecycle/docker-event.ts';
import { eventRecord } from '../lifecycle/event-record.ts';
import type { ExitSnapshot } from '../lifecycle/exit-classifier.ts';
import type { LifecycleReporter } from '../lifecycle/lifecycle-reporter.ts';
import type { RecordSink } from '../records/collector.ts';
import type { Container, Resource } from '../records/records.ts';
import type { ContainerRegistry } from './container-registry.ts';
import type { DaemonAbsence } from './daemon-absence.ts';
import type { EventCursor } from './event-cursor.ts';
import type { Inventory } from './inventory.ts';
import type { ObjectQueue } from './object-queue.ts';

/** How long an exit waits for the last lines of the container's log. */
const LAST_LINES_MS = 1000;

/** What an action changes in its container, besides being reported. */
interface Effect {
  /** The container is inspected before the event is reported. */
  readonly isInspectedBefore?: true;
  /** The container is inspected after that: while the daemon restarts a container, it does not describe it. */
  readonly isInspectedAfter?: true;
  /** The container's status that follows. */
  readonly status?: string;
  /** The settings of the running container's cgroup change. */
  readonly changesSettings?: true;
}

const EFFECTS: Readonly<Record<string, Effect>> = {
  start: { isInspectedBefore: true },
  restore: { isInspectedBefore: true },
  rename: { isInspectedBefore: true },
  update: { isInspectedBefore: true, changesSettings: true },
  pause: { status: 'paused', changesSettings: true },
  unpause: { status: 'running', changesSettings: true },
  oom: { isInspectedAfter: true, changesSettings: true },
  die: { isInspectedAfter: true, status: 'exited' },
};

/** `accepted` resolves once every exporter has accepted the event. The queue does not wait for it. */
interface Handled {
  readonly accepted: Promise<void>;
}

const NOT_EMITTED: Handled = { accepted: Promise.resolve() };

export interface EventHandlerOptions {
  readonly cursor: EventCursor;
  readonly queue: ObjectQueue;
  readonly registry: ContainerRegistry;
  readonly inventory: Inventory;
  readonly reporter: LifecycleReporter;
  readonly absence: DaemonAbsence;
  readonly lifecycle: ContainerListener;
  readonly sink: RecordSink;
  /** The resource of events that are about no container. */
  readonly host: () => Resource;
  /** Whether events are reported that are about no observed container. */
  readonly reportsObjects: boolean;
  /** Called with the type of each object that changed and is no container. */
  readonly onObjectChanged: (type: string) => void;
  readonly onError: (error: unknown) => void;
  readonly signal: AbortSignal;
}

export class EventHandler {
  private readonly options: EventHandlerOptions;

  constructor(options: EventHandlerOptions) {
    this.options = options;
  }

  /** Takes an event of the daemon; events of one object are processed in order. */
  receive(source: DockerEvent): void {
    const { cursor, queue, signal, onError } = this.options;
    const acknowledge = cursor.accept(source);
    if (acknowledge === undefined) return;
    const event = classifyEvent(source);
    try {
      this.anticipate(event);
    } catch (error) {
      onError(error);
    }
    // A network's event that names a container keeps its place among the container's events.
    const objectIds = [event.id, event.memberId ?? ''].filter((id) => id !== '');
    queue.run(objectIds, async () => {
      try {
        const { accepted } = event.isOfContainer
          ? await this.handleContainerEvent(event)
          : this.handleObjectEvent(event);
        accepted.catch(onError).then(acknowledge).catch(onError);
      } catch (error) {
        // The next agent reports what this one leaves when it stops.
        if (signal.aborted) return;
        acknowledge();
        onError(error);
      }
    });
  }

  /** A short-lived container can be gone before its earlier events are processed. */
  private anticipate(event: ClassifiedEvent): void {
    const { registry, reporter, lifecycle } = this.options;
    if (event.type === 'image') registry.forgetImage(event.id);
    reporter.anticipateEvent(event);
    const isStarting = event.isOfContainer && (event.action === 'create' || event.action === 'start');
    if (isStarting && !registry.ignored.has(event.id))
      lifecycle.containerStarting(event.id, registry.known.get(event.id));
  }

  private async handleContainerEvent(received: ClassifiedEvent): Promise<Handled> {
    const { reporter, absence } = this.options;
    const container = await this.findContainer(received);
    if (container === undefined) {
      reporter.discardKills(received.id);
      return NOT_EMITTED;
    }
    const event = await this.resolveHealth(received, container);
    const isEndOfRun = this.applyToRun(event, container);
    const snapshot = isEndOfRun ? await this.awaitExitEvidence(event, container) : undefined;
    const accepted = reporter.reportEvent(container, event, absence.includes(event.time), snapshot);
    this.applyEffects(event, container);
    return { accepted };
  }

  /** The event's container; undefined if it is not observed. */
  private async findContainer({ id, action, source }: ClassifiedEvent): Promise<Container | undefined> {
    const { registry, inventory, reporter } = this.options;
    const known = registry.known.get(id);
    const isUpToDate = known !== undefined && EFFECTS[action]?.isInspectedBefore !== true;
    const isInspected = !registry.ignored.has(id) && !isUpToDate && action !== 'destroy';
    const inspected = isInspected ? await inventory.describeOrWait(id) : undefined;
    // The inspection can show that the container is not observed.
    const isIgnored = registry.ignored.has(id);
    if (isIgnored && action === 'destroy') registry.ignored.delete(id);
    const found = inspected ?? known;
    if (isIgnored || found !== undefined) return isIgnored ? undefined : found;
    return registry.fromMemory(id, source.Actor.Attributes, reporter.stateOf(id));
  }

  /** Podman reports each run of the health check without its result: a new result is read from the container. */
  private async resolveHealth(event: ClassifiedEvent, container: Container): Promise<ClassifiedEvent> {
    if (event.action !== 'health_status') return event;
    await this.options.inventory.describe(container.id);
    const { health } = container;
    const reported = this.options.reporter.stateOf(container.id)?.health;
    const isNew = health !== reported && health !== undefined && health !== 'starting';
    return isNew ? classifyEvent({ ...event.source, Action: `health_status: ${health}` }) : event;
  }

  /**
   * Attaches the collectors to a run as soon as it shows: the inspection can be ahead of the events.
   * @returns whether the event ends the run; an exit before the run's start is of another run
   */
  private applyToRun({ action, time, exitCode }: ClassifiedEvent, container: Container): boolean {
    if (container.pid !== 0 || action === 'start') this.options.lifecycle.containerStarted(container);
    if (time < container.startedAt) return false;
    container.status = EFFECTS[action]?.status ?? container.status;
    if (action !== 'die') return false;
    container.pid = 0;
    container.exitCode = exitCode ?? container.exitCode;
    return true;
  }

  /** Detaches the collectors, and waits for what explains the exit. */
  private async awaitExitEvidence(
    event: ClassifiedEvent,
    container: Container,
  ): Promise<ExitSnapshot | undefined> {
    const { lifecycle, reporter, absence, onError } = this.options;
    const logRead = lifecycle.containerStopped(container).catch(onError);
    // Most logs are read to their end at once.
    if (event.exitCode !== 0) await Promise.race([logRead, sleep(LAST_LINES_MS, undefined, { ref: false })]);
    return reporter.awaitOomKill(container, event, absence.includes(event.time));
  }

  private applyEffects({ action }: ClassifiedEvent, container: Container): void {
    const { registry, lifecycle, onError } = this.options;
    if (EFFECTS[action]?.isInspectedAfter) registry.refresh(container.id).catch(onError);
    if (EFFECTS[action]?.changesSettings) lifecycle.containerChanged(container);
    if (action === 'destroy') registry.remove(container);
    if (action.startsWith('health_status.')) container.health = action.slice('health_status.'.length);
  }

  /** An event of an image, a network, a volume, or of no object. */
  private handleObjectEvent(event: ClassifiedEvent): Handled {
    const { registry, reporter, sink, host, reportsObjects, onObjectChanged } = this.options;
    const { memberId, type } = event;
    if (memberId !== undefined && registry.ignored.has(memberId)) return NOT_EMITTED;
    const state = memberId === undefined ? undefined : reporter.stateOf(memberId);
    const remembered = state === undefined ? undefined : registry.fromMemory(memberId!, {}, state);
    const member = registry.known.get(memberId ?? '') ?? remembered;
    onObjectChanged(type);
    if (member === undefined && !reportsObjects) return NOT_EMITTED;
    const record = eventRecord(event, {
      container: member?.name,
      context: member === undefined ? undefined : state?.life,
    });
    return { accepted: sink.emitEvent(member?.resource ?? host(), record) };
  }
}

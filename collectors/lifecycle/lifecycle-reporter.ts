/**
 * Reports the events of containers: each in the light of what was reported before, with the recurrences that it
 * completes. What was reported is kept, so that nothing is reported twice or left out across restarts.
 */
import { type AgentEvent, agentEventRecord, agentEvents } from '../records/agent-events.ts';
import type { RecordSink, TextStore } from '../records/collector.ts';
import type { Attributes, AttributeValue, Container, EventRecord, UnixNano } from '../records/records.ts';
import { applyEvent } from './apply-event.ts';
import { type ClassifiedEvent, classifyEvent, type DockerEvent } from './docker-event.ts';
import { eventRecord } from './event-record.ts';
import { type Exit, ExitClassifier, type ExitEvidence, type ExitSnapshot } from './exit-classifier.ts';
import { exitPredicate } from './exit-reason.ts';
import { LifeTracer } from './life-tracer.ts';
import { impliedEvents } from './missed-events.ts';
import { detectRecurrence } from './recurrence.ts';
import { phaseStart, type ReportedState, reportedStateOf, runStart } from './reported-state.ts';
import { RemovedContainers, ReportedStates } from './reported-states.ts';

/** How far apart an event of the daemon and the event concluded in its place can be. */
const SAME_EVENT_WINDOW: UnixNano = 3_000_000_000n;
/** Key on disk: set once an inventory was complete. Containers that later inventories add are new. */
const BASELINE = 'told';

export interface LifecycleReporterOptions {
  readonly sink: RecordSink;
  readonly store: TextStore;
  readonly evidence: ExitEvidence;
  /** Redacts the command line of an exec; undefined if commands are not wanted. */
  readonly redactCommand: ((text: string) => string) | undefined;
}

/** Actions that change what the inventory is compared with. */
const COMPARED = /^(create|start|restore|die|pause|unpause|rename|update|destroy|health_status\..*)$/;

const seconds = (nanos: UnixNano): number => Number(nanos) / 1e9;

export class LifecycleReporter {
  private readonly options: LifecycleReporterOptions;
  private readonly states: ReportedStates;
  private readonly removed: RemovedContainers;
  private readonly exits: ExitClassifier;
  private readonly tracer: LifeTracer;
  /** How many events this process reported of each container. */
  private readonly eventCounts = new Map<string, number>();
  private isBaselineKept: boolean;

  constructor(options: LifecycleReporterOptions) {
    const { sink, store, evidence } = options;
    this.options = options;
    this.states = new ReportedStates(store);
    this.removed = new RemovedContainers(store);
    this.exits = new ExitClassifier(evidence);
    this.tracer = new LifeTracer(sink, store);
    this.isBaselineKept = store.load(BASELINE) !== undefined;
  }

  /** Ids of all containers that were reported and not reported as removed. */
  reportedIds(): Iterable<string> {
    return this.states.ids();
  }

  stateOf(id: string): ReportedState | undefined {
    return this.states.get(id);
  }

  /** Whether the container was reported as removed. */
  isRemoved(id: string): boolean {
    return this.removed.has(id);
  }

  /** Rises with each event that this process reports of a container. */
  eventCountOf(id: string): number {
    return this.eventCounts.get(id) ?? 0;
  }

  /** Whether there was a complete inventory before, so that a container without reported state is new. */
  get hasBaseline(): boolean {
    return this.isBaselineKept;
  }

  /** The inventory is complete: from now on, a container without reported state is new. */
  keepBaseline(): void {
    if (!this.isBaselineKept) this.options.store.save(BASELINE, 'yes');
    this.isBaselineKept = true;
  }

  /** A container that existed before the baseline: all that it shows counts as reported. */
  adoptContainer(container: Container): void {
    const state = reportedStateOf(container);
    this.states.set(container.id, state);
    this.states.saveNow(container.id, state);
  }

  /** The container is not observed any longer. */
  forgetContainer(id: string): void {
    this.exits.forgetContainer(id);
    this.states.deleteNow(id);
  }

  /** Forgets the queued OOM kills of a container that is not observed. */
  discardKills(id: string): void {
    this.exits.forgetContainer(id);
  }

  /** Records an event that is still queued: it can explain events that are processed before it. */
  anticipateEvent(event: ClassifiedEvent): void {
    if (event.type === 'image') this.tracer.recordImageArrival(event);
    if (!event.isOfContainer) return;
    this.exits.anticipateEvent(event);
    if (this.removed.has(event.id)) this.exits.forgetContainer(event.id);
  }

  /** As `ExitClassifier.awaitOomKill`. */
  async awaitOomKill(
    container: Container,
    event: ClassifiedEvent,
    isDaemonAway: boolean,
  ): Promise<ExitSnapshot | undefined> {
    const state = this.states.get(container.id);
    return state === undefined ? undefined : this.exits.awaitOomKill(state, container, event, isDaemonAway);
  }

  /** The container's exit looked requested, but the daemon stopped it because it was stopped itself. */
  reportStoppedByDaemon(container: Container): Promise<void> {
    const state = this.states.get(container.id);
    if (state?.lastTimes.die === undefined) return Promise.resolve();
    return this.emitAgentEvent(state, container, state.lastTimes.die, {
      event: agentEvents.daemonStopped,
      body: `container ${container.name} was stopped by the daemon, which was shutting down`,
      attributes: { 'portlight.exit.reason': 'daemon_restart' },
    });
  }

  /**
   * Reports events that were concluded, in order; resolves as `reportEvent`. An error of one event is thrown, not
   * returned as a rejection: the events after it are not reported.
   */
  reportConcluded(
    container: Container,
    events: readonly DockerEvent[],
    isDaemonAway: (time: UnixNano) => boolean = () => false,
  ): Promise<void> {
    const accepted = events
      .map(classifyEvent)
      .map((event) => this.reportEvent(container, event, isDaemonAway(event.time)));
    return Promise.all(accepted).then(() => {});
  }

  /**
   * Emits an event, what must have happened before it, its spans and the recurrence that it completes.
   * @param isDaemonAway whether the daemon was away when it happened
   * @param snapshot what was known when the container exited, if the exit waited
   * @returns resolves once every exporter has accepted everything emitted
   */
  reportEvent(
    container: Container,
    event: ClassifiedEvent,
    isDaemonAway: boolean,
    snapshot?: ExitSnapshot,
  ): Promise<void> {
    const { id } = container;
    const { action, time, row, execId } = event;
    // An exit has waited for this OOM kill and reported it.
    const isKillReported = action === 'oom' && this.exits.consumeKill(id, time);
    const known = this.states.get(id);
    if (this.isAlreadyReported(known, container, event)) return Promise.resolve();

    const accepted = this.impliedEvents(known, container, event).map((implied) =>
      this.reportEvent(container, classifyEvent(implied), isDaemonAway),
    );
    const state = known ?? this.stateFor(container, action);
    if (COMPARED.test(action)) this.eventCounts.set(id, this.eventCountOf(id) + 1);
    this.tracer.beginLife(state, container, event);

    const began = phaseStart(state, row.since, execId);
    const exit =
      action === 'die' ? this.exits.classifyExit(state, container, event, isDaemonAway, snapshot) : undefined;
    const record = this.recordOf(state, container, event, began, exit);
    accepted.push(this.options.sink.emitEvent(container.resource, record));
    // A receiver that accepts no traces must not delay the state of the events.
    this.tracer.emitSpans(state, container, event, began, exit);

    applyEvent(state, container, event, exit);
    // The run that started since is not affected by it.
    if (isKillReported) state.oomAt = undefined;
    const recurrence = detectRecurrence(state, container, action, time);
    if (recurrence !== undefined) accepted.push(this.emitAgentEvent(state, container, time, recurrence));

    return action === 'destroy'
      ? this.removeContainer(id, time, accepted)
      : this.states.saveAfter(id, state, accepted);
  }

  /** What must have happened before an event of the daemon, and was not reported. */
  private impliedEvents(
    state: ReportedState | undefined,
    container: Container,
    event: ClassifiedEvent,
  ): readonly DockerEvent[] {
    const isComparable = !event.isSynthesized && (state !== undefined || this.isBaselineKept);
    return isComparable ? impliedEvents(state, container, event.action, event.time) : [];
  }

  /** The container's state; before the baseline, what was before a container's first event counts as reported. */
  private stateFor(container: Container, action: string): ReportedState {
    const known = this.states.get(container.id);
    if (known !== undefined) return known;
    const isFound = !this.isBaselineKept && action !== 'create' && action !== 'start';
    const unreported = { startedAt: 0n, finishedAt: 0n, healthAt: 0n, health: undefined };
    const state = reportedStateOf(isFound ? container : { ...container, ...unreported });
    this.states.set(container.id, state);
    return state;
  }

  private recordOf(
    state: ReportedState,
    container: Container,
    event: ClassifiedEvent,
    began: UnixNano | undefined,
    exit: Exit | undefined,
  ): EventRecord {
    const attributes: Record<string, AttributeValue> = { ...exit?.attributes };
    const { redactCommand } = this.options;
    if (event.command !== undefined && redactCommand !== undefined)
      attributes['process.command_line'] = redactCommand(event.command);
    return eventRecord(event, {
      container: container.name,
      run: runStart(state),
      duration: began === undefined ? undefined : seconds(event.time - began),
      severity: exit?.severity,
      predicate: exit === undefined ? undefined : exitPredicate(exit.reason, exit.exitCode),
      attributes,
      context: state.life,
    });
  }

  private removeContainer(id: string, time: UnixNano, accepted: readonly Promise<void>[]): Promise<void> {
    this.exits.forgetContainer(id);
    this.eventCounts.delete(id);
    this.removed.add(id);
    return this.states.deleteAfter(id, accepted, () => this.removed.save(id, time));
  }

  private emitAgentEvent(
    state: ReportedState,
    { id, resource }: Container,
    time: UnixNano,
    { event, ...what }: { event: AgentEvent; body: string; attributes: Attributes },
  ): Promise<void> {
    const record = agentEventRecord(event, { ...what, time, subject: id, context: state.life });
    return this.options.sink.emitEvent(resource, record);
  }

  /** Whether the event repeats what was reported, or is the daemon's version of a concluded event. */
  private isAlreadyReported(
    state: ReportedState | undefined,
    { id, startedAt }: Container,
    event: ClassifiedEvent,
  ): boolean {
    // Docker never reuses an id: the removal was the last event.
    if (this.removed.has(id)) return true;
    if (state === undefined || event.isSynthesized) return false;
    const { action, time } = event;
    // A run ends once, however late the daemon reports an end that was concluded.
    const isOver = state.status === 'exited' && state.isEndConcluded;
    const repeatsEnd = action === 'die' && isOver && startedAt <= state.startedAt;
    // A container is created once. The daemon can report it after the agent concluded it and later events.
    const repeatsCreation =
      action === 'create' && state.lastEventAt !== 0n && state.lastTimes.create !== undefined;
    const { concluded } = state;
    const distance = concluded?.action === action ? time - concluded.time : SAME_EVENT_WINDOW;
    const repeatsConcluded = distance < SAME_EVENT_WINDOW && distance > -SAME_EVENT_WINDOW;
    return this.states.isReportedEarlier(id, time) || repeatsEnd || repeatsCreation || repeatsConcluded;
  }
}

/**
 * Tells what happens to containers: each event in the light of what was told before it, and what can be
 * recognised in it. What was told is kept, so that nothing is told twice or left out across restarts.
 */

import { agentEventRecord, agentEvents } from '../records/agent-events.ts';
import type { RecordSink, TextStore } from '../records/collector.ts';
import {
  type Attributes,
  type AttributeValue,
  type Container,
  Severity,
  type SpanContext,
  type UnixNano,
} from '../records/records.ts';
import { type Action, commandOf } from './actions.ts';
import { actionOfEvent, type DockerEvent, eventRecord, execOf, exitCodeOf } from './event-record.ts';
import { type Ending, ExitClassifier, type ExitEvidence } from './exit-classifier.ts';
import {
  type ExitReason,
  exitReasons,
  exitSeverity,
  isRequestedExit,
  signalName,
  UNKNOWN_SIGNAL,
} from './exit-reason.ts';
import { familiar } from './identity.ts';
import { type Lasting, lifeOf, rootSpan, spanIn } from './life-spans.ts';
import { impliedEvents } from './missed-events.ts';
import { detectRecurrence, type Recurrence } from './recurrence.ts';
import {
  addMoment,
  applyEvent,
  formatReportedState,
  parseReportedState,
  phaseStart,
  type ReportedState,
  reportedStateOf,
  runStart,
} from './reported-state.ts';

/** How long before a container's creation the arrival of its image is part of its life. */
const ARRIVAL: UnixNano = 600_000_000_000n;
const MAX_ARRIVALS = 256;
/** Services whose last life is remembered. */
const MAX_LIVES = 1000;
/** How far apart an event and what was made up in its place can lie. */
const SAME: UnixNano = 3_000_000_000n;
/** Containers that are gone, to recognise what the daemon says of them late. */
const MAX_GONE = 1024;

const CONTAINER = 'container/';
const LIFE = 'life/';
const GONE = 'gone/';
/** That there was an inventory before: what is new to the next one came in between. */
const BEGUN = 'told';

export interface LifecycleReporterOptions {
  readonly sink: RecordSink;
  readonly store: TextStore;
  readonly evidence: ExitEvidence;
  /** Makes the command of an exec fit to be told; undefined where it is not wanted. */
  readonly command: ((text: string) => string) | undefined;
}

/** Restart policies that start again what has ended well. */
const KEPT_UP = new Set(['always', 'unless-stopped']);

/** Whether an action bears on what the inventory is compared with. */
const bears = (action: string): boolean =>
  /^(create|start|restore|die|pause|unpause|rename|update|destroy|health_status\..*)$/.test(action);

const seconds = (nanos: UnixNano): number => Number(nanos) / 1e9;

/** What survives the container: the Compose service, or the name. */
function placeOf({ name, labels }: Container): string {
  const service = labels['com.docker.compose.service'];
  if (service === undefined) return name;
  const project = labels['com.docker.compose.project'] ?? '';
  return `${project}/${service}/${labels['com.docker.compose.container-number'] ?? ''}`;
}

export class LifecycleReporter {
  private readonly options: LifecycleReporterOptions;
  private readonly states = new Map<string, ReportedState>();
  private readonly ends: ExitClassifier;
  /** The last life of each service or name. */
  private readonly lives = new Map<string, SpanContext>();
  /** When an image came to this host, and how, by reference and by id. */
  private readonly arrivals = new Map<string, { readonly action: string; readonly time: UnixNano }>();
  private readonly gone = new Set<string>();
  /** Until when an earlier agent told of each container: what the daemon repeats of that is no news. */
  private readonly toldUntil = new Map<string, UnixNano>();
  /** How many events were told of each container, by this process. */
  private readonly counts = new Map<string, number>();
  /** What is not kept yet of each container, because exporters still have it. */
  private readonly pendingSaves = new Map<string, Promise<void>>();
  private isBaselineKept: boolean;

  constructor(options: LifecycleReporterOptions) {
    this.options = options;
    this.ends = new ExitClassifier(options.evidence);
    const { store } = options;
    this.isBaselineKept = store.load(BEGUN) !== undefined;
    for (const id of store.idsUnder(CONTAINER)) {
      const told = parseReportedState(store.load(CONTAINER + id) ?? '');
      if (told === undefined) continue;
      this.states.set(id, told);
      this.toldUntil.set(id, told.lastDaemonEventAt);
    }
    for (const [id] of this.byTime(GONE)) this.gone.add(id);
    for (const [place, [, traceId = '', spanId = '']] of this.byTime(LIFE))
      this.lives.set(place, { traceId, spanId });
  }

  /** What is kept under a prefix, each a time and what else there is, oldest first. */
  private byTime(prefix: string): [string, string[]][] {
    const { store } = this.options;
    const all = [...store.idsUnder(prefix)].map((id): [string, string[]] => [
      id,
      (store.load(prefix + id) ?? '').split(' '),
    ]);
    return all.sort(([, [one = '']], [, [other = '']]) => Number(one) - Number(other));
  }

  /** Ids of all containers that were told of and not told to be gone. */
  reportedIds(): Iterable<string> {
    return this.states.keys();
  }

  /** Whether it was told that a container is gone. */
  isRemoved(id: string): boolean {
    return this.gone.has(id);
  }

  /** A container is not to be told of any more. */
  forgetContainer(id: string): void {
    this.ends.forgetContainer(id);
    if (this.states.delete(id)) this.options.store.delete(CONTAINER + id);
  }

  /** A container has ended, as it seemed by command, because the daemon was about to end. */
  reportStoppedByDaemon(container: Container): void {
    const told = this.states.get(container.id);
    if (told?.lastTimes.die === undefined) return;
    void this.emitAgentEvent(told, container, told.lastTimes.die, {
      event: agentEvents.daemonStopped,
      body: `container ${container.name} was ended by the daemon, which was stopped`,
      attributes: { 'portlight.exit.reason': 'daemon_restart' },
    });
  }

  stateOf(id: string): ReportedState | undefined {
    return this.states.get(id);
  }

  /** As `Ends.hear`, of whatever container. */
  anticipateEvent(id: string, action: string, time: UnixNano): void {
    this.ends.anticipateEvent(id, action, time);
    if (this.gone.has(id)) this.ends.forgetContainer(id);
  }

  /** What was heard is of a container that is not told of. */
  discardKills(id: string): void {
    this.ends.forgetContainer(id);
  }

  /** As `Ends.explained`. */
  async awaitOomKill(
    container: Container,
    event: DockerEvent,
    isDaemonAway: boolean,
  ): Promise<Ending | undefined> {
    const told = this.states.get(container.id);
    return told === undefined
      ? undefined
      : await this.ends.awaitOomKill(told, container, event, isDaemonAway);
  }

  /** Rises with each event that is told of a container. */
  eventCountOf(id: string): number {
    return this.counts.get(id) ?? 0;
  }

  /** Whether there was an inventory before, so that a container nobody told of is a new one. */
  get hasBaseline(): boolean {
    return this.isBaselineKept;
  }

  keepBaseline(): void {
    if (!this.isBaselineKept) this.options.store.save(BEGUN, 'yes');
    this.isBaselineKept = true;
  }

  /** A container that was there before anything could be told of it. */
  adoptContainer(container: Container): void {
    const told = reportedStateOf(container);
    this.states.set(container.id, told);
    this.options.store.save(CONTAINER + container.id, formatReportedState(told));
  }

  /** An image came to this host, or got a name. */
  recordImageArrival({ Actor, timeNano }: DockerEvent, { action }: Action): void {
    if (!['pull', 'load', 'import', 'create', 'tag'].includes(action)) return;
    for (const given of [Actor.ID, Actor.Attributes.name]) {
      if (given === undefined) continue;
      const key = familiar(given);
      this.arrivals.delete(key);
      this.arrivals.set(key, { action, time: BigInt(timeNano) });
      if (this.arrivals.size > MAX_ARRIVALS) this.arrivals.delete(this.arrivals.keys().next().value!);
    }
  }

  /**
   * @param isDaemonAway whether the daemon was away when it happened, or just coming back
   * @param ending what was known when the container ended, where that was a while ago
   * @returns resolves when every exporter has taken charge of all that was told
   */
  reportEvent(
    container: Container,
    event: DockerEvent,
    isDaemonAway: boolean,
    ending?: Ending,
  ): Promise<void> {
    const { sink, store } = this.options;
    const { id } = container;
    const action = actionOfEvent(event);
    const name = action.action;
    const time = BigInt(event.timeNano);
    const isSpent = name === 'oom' && this.ends.consumeKill(id, time);
    if (this.isAlreadyReported(container, name, event)) return Promise.resolve();
    const known = this.states.get(id);
    const before =
      event.synthesized === undefined && (known !== undefined || this.isBaselineKept)
        ? impliedEvents(known, container, name, time)
        : [];
    for (const implied of before) void this.reportEvent(container, implied, isDaemonAway);
    const told = this.states.get(id) ?? this.initialStateFor(container, name);
    this.states.set(id, told);
    if (bears(name)) this.counts.set(id, this.eventCountOf(id) + 1);
    this.beginLife(told, container, name, time);

    const exec = execOf(event);
    const began = phaseStart(told, action.since, exec);
    const exit =
      name === 'die' ? this.ends.classifyExit(told, container, event, isDaemonAway, ending) : undefined;
    const details: Record<string, AttributeValue> = { ...exit?.attributes };
    const command = commandOf(event.Action);
    if (command !== undefined && this.options.command !== undefined)
      details['process.command_line'] = this.options.command(command);
    const record = eventRecord(event, {
      container: container.name,
      run: runStart(told),
      duration: began === undefined ? undefined : seconds(time - began),
      attributes: details,
      context: told.life,
      ...(exit === undefined ? {} : { severity: exit.severity, tail: `: ${exitReasons[exit.reason].what}` }),
    });
    const sent = [sink.emitEvent(container.resource, record)];
    // A receiver that takes no traces must not keep what else was told from being remembered.
    this.tellSpans(told, container, event, began, exit);

    const { signal } = event.Actor.Attributes;
    applyEvent(told, name, time, {
      signal: name !== 'kill' ? undefined : signal === undefined ? UNKNOWN_SIGNAL : signalName(signal),
      exec,
      isCheck: command === undefined ? undefined : command.trimEnd() === container.healthCommand,
    });
    // The run that has begun since has nothing to do with it.
    if (isSpent) told.oomAt = undefined;
    if (exit !== undefined) told.exit = exit.reason;
    this.remember(told, container, name, event);
    // A job that is done is no crash, unless it is started again and again for that.
    const isDone = exit?.exitCode === 0 && !KEPT_UP.has(container.restartPolicy);
    if (exit !== undefined && !isRequestedExit(exit.reason) && !isDone)
      told.crashes = addMoment(told.crashes, time);
    const pattern = detectRecurrence(told, container, name, time);
    if (pattern !== undefined) sent.push(this.emitAgentEvent(told, container, time, pattern));

    // What was told is kept in the order that it was told.
    const text = name === 'destroy' ? undefined : formatReportedState(told);
    const kept = Promise.all([this.pendingSaves.get(id), ...sent]).then(() => {
      if (text === undefined) {
        store.delete(CONTAINER + id);
        // It can be out of those that are remembered by now.
        if (this.gone.has(id)) store.save(GONE + id, String(time));
      } else store.save(CONTAINER + id, text);
      if (this.pendingSaves.get(id) === kept) this.pendingSaves.delete(id);
    });
    this.pendingSaves.set(id, kept);
    if (name === 'destroy') {
      this.states.delete(id);
      this.ends.forgetContainer(id);
      this.toldUntil.delete(id);
      this.counts.delete(id);
      this.rememberGone(id);
    }
    return kept;
  }

  /** Of a container that nobody has told of: at the first start of all, what was before is not to be told. */
  private initialStateFor(container: Container, action: string): ReportedState {
    if (!this.isBaselineKept && action !== 'create' && action !== 'start') return reportedStateOf(container);
    return reportedStateOf({ ...container, startedAt: 0n, finishedAt: 0n, healthAt: 0n, health: undefined });
  }

  /** Something of the agent's own about a container. */
  private emitAgentEvent(
    told: ReportedState,
    { id, resource }: Container,
    time: UnixNano,
    { event, ...what }: Recurrence,
  ): Promise<void> {
    const record = agentEventRecord(event, { ...what, time, subject: id, context: told.life });
    return this.options.sink.emitEvent(resource, record);
  }

  /** Whether it is the daemon's word for something that was made up in its place. */
  private isAlreadyReported(container: Container, action: string, event: DockerEvent): boolean {
    const { id } = container;
    const told = this.states.get(id);
    // Ids are never given twice: whatever comes after the end was told of before it, or made up.
    if (this.gone.has(id)) return true;
    if (told === undefined || event.synthesized !== undefined) return false;
    const time = BigInt(event.timeNano);
    if (time <= (this.toldUntil.get(id) ?? -1n)) return true;
    // A run ends once, however long after it was concluded the daemon says so.
    const isOver = told.status === 'exited' && told.isEndConcluded;
    if (action === 'die' && isOver && container.startedAt <= told.startedAt) return true;
    const { concluded: madeUp } = told;
    if (madeUp?.action !== action) return false;
    const apart = time - madeUp.time;
    return apart < SAME && apart > -SAME;
  }

  private remember(told: ReportedState, container: Container, action: string, event: DockerEvent): void {
    if (action === 'create' || action === 'rename') told.name = container.name;
    told.resource = container.resource.attributes;
    const time = BigInt(event.timeNano);
    told.lastEventAt = time;
    told.concluded = event.synthesized === 'known' ? { action, time } : undefined;
    if (action === 'die') told.isEndConcluded = event.synthesized !== undefined;
    if (event.synthesized === undefined) told.lastDaemonEventAt = time;
    // One that could not be described, or only in a later run, has started a moment before that was told.
    if (action === 'start') {
      const isDescribed = container.startedAt !== 0n && container.startedAt <= time;
      told.startedAt = isDescribed ? container.startedAt : time;
    }
    const isSet = action === 'create' || action === 'update' || action === 'start';
    if (isSet && container.settings !== 0) told.settings = container.settings;
  }

  private beginLife(told: ReportedState, container: Container, action: string, time: UnixNano): void {
    const isNew = action === 'create' || (action === 'start' && told.status === 'exited');
    if (!isNew && told.life !== undefined) return;
    // One that was met in the middle of a life: that began with its last start.
    const since = isNew ? time : (told.lastTimes.start ?? told.lastTimes.create ?? time);
    told.life = lifeOf(container.id, since);
    told.lifeStart = since;
    const arrival = action === 'create' ? this.arrivalOf(container) : undefined;
    if (arrival === undefined || time - arrival.time > ARRIVAL) return;
    told.lifeStart = arrival.time;
    // How long it took is told by nobody.
    const moment = { name: `image.${arrival.action}`, start: arrival.time, end: arrival.time };
    void this.options.sink.emitSpan(container.resource, spanIn(told.life, moment));
  }

  private arrivalOf({ image, resource }: Container): { action: string; time: UnixNano } | undefined {
    const name = familiar(image);
    const keys = [name, `${name}:latest`, String(resource.attributes['container.image.id'])];
    return keys.map((key) => this.arrivals.get(key)).find((arrival) => arrival !== undefined);
  }

  /** What ended with an event. */
  private tellSpans(
    told: ReportedState,
    container: Container,
    event: DockerEvent,
    began: UnixNano | undefined,
    exit: { reason: ExitReason; exitCode: number | undefined; attributes: Attributes } | undefined,
  ): void {
    const { life } = told;
    const { action, span } = actionOfEvent(event);
    const end = BigInt(event.timeNano);
    const exec = execOf(event);
    const isCheck = exec !== undefined && told.execs[exec]?.isCheck === true;
    // A life begins with each start but the first: there is nothing before it.
    const isOutside = action === 'start' && told.lastTimes.die !== undefined;
    if (life === undefined || span === undefined || isCheck || isOutside) return;
    const { sink } = this.options;
    const tell = (lasting: Lasting) => void sink.emitSpan(container.resource, spanIn(life, lasting));
    if (exit === undefined) {
      if (began === undefined) return;
      const attributes: Record<string, AttributeValue> = {};
      let error: string | undefined;
      if (exec !== undefined) {
        const code = exitCodeOf(event);
        attributes['docker.exec.id'] = exec;
        if (code !== undefined) attributes['process.exit.code'] = code;
        if (code !== 0 && code !== undefined) error = `exit code ${code}`;
      }
      if (action.startsWith('health_status.')) {
        attributes['container.health.status'] = told.health ?? 'starting';
        if (action === 'health_status.unhealthy') error = 'unhealthy';
      }
      tell({ name: span, start: began, end, attributes, error });
      return;
    }

    const { reason, exitCode } = exit;
    const attributes: Record<string, AttributeValue> = { 'portlight.exit.reason': reason };
    if (exitCode !== undefined) attributes['process.exit.code'] = exitCode;
    const error = exitSeverity(reason, exitCode) > Severity.INFO && reason !== 'stopped' ? reason : undefined;
    const place = placeOf(container);
    const previous = this.lives.get(place);
    const links = previous === undefined ? [] : [previous];
    const [signal] = told.signals;
    if (signal !== undefined && isRequestedExit(reason))
      tell({ name: 'container.stop', start: signal.at, end, attributes, error });
    if (began !== undefined) tell({ name: span, start: began, end, attributes, error, links });
    const whole = { name: 'container', start: told.lifeStart, end, attributes, error, links };
    void sink.emitSpan(container.resource, rootSpan(life, whole));
    this.rememberLife(place, life, end);
  }

  private rememberGone(id: string): void {
    this.gone.add(id);
    while (this.gone.size > MAX_GONE) {
      const oldest = this.gone.values().next().value!;
      this.gone.delete(oldest);
      this.options.store.delete(GONE + oldest);
    }
  }

  private rememberLife(place: string, life: SpanContext, time: UnixNano): void {
    const { store } = this.options;
    this.lives.delete(place);
    this.lives.set(place, life);
    store.save(LIFE + place, `${time} ${life.traceId} ${life.spanId}`);
    if (this.lives.size <= MAX_LIVES) return;
    const oldest = this.lives.keys().next().value!;
    this.lives.delete(oldest);
    store.delete(LIFE + oldest);
  }
}

/**
 * Emits the life of each container as a trace. A life is a run with what led to it: the first life begins with the
 * container's creation (or the arrival of its image right before), each later one with its start. Ids are hashes of the
 * container and the moment, so that a span that is emitted twice is the same span.
 */
import { createHash } from 'node:crypto';
import type { RecordSink, TextStore } from '../records/collector.ts';
import {
  type Attributes,
  type AttributeValue,
  type Container,
  Severity,
  type Span,
  type SpanContext,
  type UnixNano,
} from '../records/records.ts';
import { BoundedMap } from '../shared/bounded-map.ts';
import type { ClassifiedEvent } from './docker-event.ts';
import type { Exit } from './exit-classifier.ts';
import { exitSeverity, isRequestedExit } from './exit-reason.ts';
import { familiarName } from './identity.ts';
import type { ReportedState } from './reported-state.ts';
import { loadOldestFirst } from './reported-states.ts';

/** How long before a container's creation the arrival of its image belongs to its first life. */
const ARRIVAL_WINDOW: UnixNano = 600_000_000_000n;
const MAX_ARRIVALS = 256;
const ARRIVALS: ReadonlySet<string> = new Set(['pull', 'load', 'import', 'create', 'tag']);
/** Limit of services whose last life is remembered. */
const MAX_LIVES = 1000;
/** Part of the keys on disk. */
const PREFIX = 'life/';

interface Arrival {
  readonly action: string;
  readonly time: UnixNano;
}

/** What outlives a container: the Compose service, or the name. */
function serviceKey({ name, labels }: Container): string {
  const service = labels['com.docker.compose.service'];
  if (service === undefined) return name;
  const project = labels['com.docker.compose.project'] ?? '';
  return `${project}/${service}/${labels['com.docker.compose.container-number'] ?? ''}`;
}

export class LifeTracer {
  private readonly sink: RecordSink;
  private readonly store: TextStore;
  /** The last life of each service or name. */
  private readonly lives: BoundedMap<string, SpanContext>;
  /** How and when images arrived on this host, by reference and by id. */
  private readonly arrivals = new BoundedMap<string, Arrival>(MAX_ARRIVALS);

  constructor(sink: RecordSink, store: TextStore) {
    this.sink = sink;
    this.store = store;
    this.lives = new BoundedMap(MAX_LIVES, (key) => store.delete(PREFIX + key));
    for (const [key, [, traceId = '', spanId = '']] of loadOldestFirst(store, PREFIX))
      this.lives.set(key, { traceId, spanId });
  }

  /** Records that an image arrived on this host, or got a tag. */
  recordImageArrival({ id, action, time, source }: ClassifiedEvent): void {
    if (!ARRIVALS.has(action)) return;
    for (const reference of [id, source.Actor.Attributes.name]) {
      if (reference === undefined) continue;
      this.arrivals.set(familiarName(reference), { action, time });
    }
  }

  /** Sets the state's life where the event begins a new one, or none is known. */
  beginLife(state: ReportedState, container: Container, { action, time }: ClassifiedEvent): void {
    const isNew = action === 'create' || (action === 'start' && state.status === 'exited');
    if (!isNew && state.life !== undefined) return;
    // A container that was found in the middle of a life: the life began with its last start.
    const start = isNew ? time : (state.lastTimes.start ?? state.lastTimes.create ?? time);
    state.life = lifeContext(container.id, start);
    state.lifeStart = start;
    const arrival = action === 'create' ? this.arrivalOf(container) : undefined;
    if (arrival === undefined || time - arrival.time > ARRIVAL_WINDOW) return;
    state.lifeStart = arrival.time;
    // The daemon does not report how long the arrival took.
    const moment = { name: `image.${arrival.action}`, start: arrival.time, end: arrival.time };
    this.emitChild(state.life, container, moment);
  }

  /**
   * Emits the spans that an event ends.
   * @param phaseStart when the phase began that the event ends
   */
  emitSpans(
    state: ReportedState,
    container: Container,
    event: ClassifiedEvent,
    phaseStart: UnixNano | undefined,
    exit: Exit | undefined,
  ): void {
    const { action, execId, row, time: end } = event;
    const isCheck = execId !== undefined && state.execs[execId]?.isCheck === true;
    // Every start but the first begins a life: nothing of that life is before it.
    const isBeforeLife = action === 'start' && state.lastTimes.die !== undefined;
    if (state.life === undefined || row.span === undefined || isCheck || isBeforeLife) return;
    if (exit !== undefined) this.emitExitSpans(state, state.life, container, row.span, phaseStart, exit, end);
    else if (phaseStart !== undefined)
      this.emitChild(state.life, container, {
        name: row.span,
        start: phaseStart,
        end,
        ...outcomeOf(state, event),
      });
  }

  private emitExitSpans(
    state: ReportedState,
    life: SpanContext,
    container: Container,
    name: string,
    runStart: UnixNano | undefined,
    { reason, exitCode }: Exit,
    end: UnixNano,
  ): void {
    const attributes: Record<string, AttributeValue> = { 'portlight.exit.reason': reason };
    if (exitCode !== undefined) attributes['process.exit.code'] = exitCode;
    const error = exitSeverity(reason, exitCode) > Severity.INFO && reason !== 'stopped' ? reason : undefined;
    const key = serviceKey(container);
    const previous = this.lives.get(key);
    const links = previous === undefined ? [] : [previous];
    const [signal] = state.signals;
    if (signal !== undefined && isRequestedExit(reason))
      this.emitChild(life, container, { name: 'container.stop', start: signal.at, end, attributes, error });
    if (runStart !== undefined)
      this.emitChild(life, container, { name, start: runStart, end, attributes, error, links });
    const whole = { name: 'container', start: state.lifeStart, end, attributes, error, links };
    this.emitSpan(container, rootSpan(life, whole));
    this.rememberLife(key, life, end);
  }

  private emitChild(life: SpanContext, container: Container, phase: Phase): void {
    this.emitSpan(container, childSpan(life, phase));
  }

  private emitSpan(container: Container, span: Span): void {
    const onError = (error: unknown) => this.sink.reportError('lifecycle', error, container);
    this.sink.emitSpan(container.resource, span).catch(onError);
  }

  private arrivalOf({ image, resource }: Container): Arrival | undefined {
    const name = familiarName(image);
    const keys = [name, `${name}:latest`, String(resource.attributes['container.image.id'])];
    return keys.map((key) => this.arrivals.get(key)).find((arrival) => arrival !== undefined);
  }

  private rememberLife(key: string, life: SpanContext, time: UnixNano): void {
    this.lives.set(key, life);
    this.store.save(PREFIX + key, `${time} ${life.traceId} ${life.spanId}`);
  }
}

/** The attributes of a phase that is not a run, and its error. */
function outcomeOf(
  { health }: ReportedState,
  { action, execId, exitCode }: ClassifiedEvent,
): Pick<Phase, 'attributes' | 'error'> {
  const attributes: Record<string, AttributeValue> = {};
  let error: string | undefined;
  if (execId !== undefined) {
    attributes['docker.exec.id'] = execId;
    if (exitCode !== undefined) attributes['process.exit.code'] = exitCode;
    if (exitCode !== 0 && exitCode !== undefined) error = `exit code ${exitCode}`;
  }
  if (action.startsWith('health_status.')) {
    attributes['container.health.status'] = health ?? 'starting';
    if (action === 'health_status.unhealthy') error = 'unhealthy';
  }
  return { attributes, error };
}

const hash = (text: string, digits: number): string =>
  createHash('sha256').update(text).digest('hex').slice(0, digits);

/** The root span of the life that began at that time. */
function lifeContext(id: string, start: UnixNano): SpanContext {
  const traceId = hash(`${id} ${start}`, 32);
  return { traceId, spanId: hash(`${traceId} life`, 16) };
}

interface Phase {
  readonly name: string;
  readonly start: UnixNano;
  readonly end: UnixNano;
  readonly attributes?: Attributes;
  readonly error?: string | undefined;
  readonly links?: readonly SpanContext[];
}

function spanOf(context: SpanContext, parentSpanId: string | undefined, phase: Phase): Span {
  const { name, start, end, attributes = {}, error, links = [] } = phase;
  // The daemon's clock can step back.
  return { context, parentSpanId, name, start, end: end < start ? start : end, attributes, error, links };
}

/** A span within a life. */
function childSpan(life: SpanContext, phase: Phase): Span {
  const spanId = hash(`${life.traceId} ${phase.name} ${phase.start}`, 16);
  return spanOf({ traceId: life.traceId, spanId }, life.spanId, phase);
}

/** The span of a whole life. */
const rootSpan = (life: SpanContext, phase: Phase): Span => spanOf(life, undefined, phase);

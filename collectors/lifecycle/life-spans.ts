/**
 * The life of a container as a trace. A life is a run with what led to it: the first life begins with the container's
 * creation (or the arrival of its image right before), each later one with its start. Ids are hashes of the container
 * and the moment, so that a span that is emitted twice is the same span.
 */
import { createHash } from 'node:crypto';
import type { Attributes, Span, SpanContext, UnixNano } from '../records/records.ts';

const hash = (text: string, digits: number): string =>
  createHash('sha256').update(text).digest('hex').slice(0, digits);

/** The root span of the life that began at that time. */
export function lifeContext(id: string, start: UnixNano): SpanContext {
  const traceId = hash(`${id} ${start}`, 32);
  return { traceId, spanId: hash(`${traceId} life`, 16) };
}

export interface Phase {
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
export function childSpan(life: SpanContext, phase: Phase): Span {
  const spanId = hash(`${life.traceId} ${phase.name} ${phase.start}`, 16);
  return spanOf({ traceId: life.traceId, spanId }, life.spanId, phase);
}

/** The span of a whole life. */
export const rootSpan = (life: SpanContext, phase: Phase): Span => spanOf(life, undefined, phase);

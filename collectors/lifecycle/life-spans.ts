/**
 * The life of a container as a trace. A life is a run with what led to it: the first begins with the
 * container's creation (or the pull of its image right before), each other with its start. Ids follow from the
 * container and the moment, so that whoever tells a span twice tells the same one.
 */
import { createHash } from 'node:crypto';
import type { Attributes, Span, SpanContext, UnixNano } from '../records/records.ts';

const hash = (text: string, digits: number): string =>
  createHash('sha256').update(text).digest('hex').slice(0, digits);

/** The root of the life of a container that began then. */
export function lifeOf(id: string, since: UnixNano): SpanContext {
  const traceId = hash(`${id} ${since}`, 32);
  return { traceId, spanId: hash(`${traceId} life`, 16) };
}

export interface Lasting {
  readonly name: string;
  readonly start: UnixNano;
  readonly end: UnixNano;
  readonly attributes?: Attributes;
  readonly error?: string | undefined;
  readonly links?: readonly SpanContext[];
}

function made(context: SpanContext, parentSpanId: string | undefined, lasting: Lasting): Span {
  const { name, start, end, attributes = {}, error, links = [] } = lasting;
  // The daemon's clock can step back.
  return { context, parentSpanId, name, start, end: end < start ? start : end, attributes, error, links };
}

/** Something in a life. */
export function spanIn(life: SpanContext, lasting: Lasting): Span {
  const spanId = hash(`${life.traceId} ${lasting.name} ${lasting.start}`, 16);
  return made({ traceId: life.traceId, spanId }, life.spanId, lasting);
}

/** The whole life. */
export const rootSpan = (life: SpanContext, lasting: Lasting): Span => made(life, undefined, lasting);

/** Spans of the agent's own work. They exist only where `telemetry.traces` is on. */
import { errorMessage } from '../../collectors/shared/error-message.ts';

export type OwnSpanAttributes = Readonly<Record<string, string | number>>;

export interface OwnSpan {
  startChild(name: string, attributes?: OwnSpanAttributes): OwnSpan;
  setAttribute(name: string, value: string | number): void;
  /** @param error why the work failed; undefined where it succeeded */
  end(error?: string): void;
}

export interface OwnTracer {
  /** Starts a span without a parent. @param kind `client` for a request to another process */
  startSpan(name: string, kind: 'internal' | 'client', attributes?: OwnSpanAttributes): OwnSpan;
}

/** Name of the instrumentation scope of these spans. */
export const OWN_SPAN_SCOPE = 'portlight.self';

/** Does a step of traced work in a child span. @param parent undefined where nothing is traced */
export async function inChildSpan<T>(
  parent: OwnSpan | undefined,
  name: string,
  work: () => Promise<T>,
): Promise<T> {
  if (parent === undefined) return work();
  const span = parent.startChild(name);
  try {
    const result = await work();
    span.end();
    return result;
  } catch (error) {
    span.end(errorMessage(error));
    throw error;
  }
}

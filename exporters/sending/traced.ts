/** Spans of requests to receivers, where the agent traces itself. */
import type { OwnTracer } from '../shared/own-tracer.ts';
import type { Telemetry } from '../shared/telemetry.ts';
import type { Transport, Verdict } from './verdict.ts';

interface Labels {
  readonly signal: string;
  readonly destination: string;
}

async function sendInSpan(
  transport: Transport,
  request: Buffer,
  { signal, destination }: Labels,
  tracer: OwnTracer,
): Promise<Verdict> {
  const span = tracer.startSpan(`export ${signal}`, 'client', {
    'portlight.signal': signal,
    'portlight.destination': destination,
    'portlight.request.size': request.length,
  });
  const verdict = await transport.send(request, span);
  span.setAttribute('portlight.request.outcome', verdict.kind);
  span.end(verdict.kind === 'accepted' ? undefined : verdict.message);
  return verdict;
}

/**
 * The same transport, which starts a span for each request while `telemetry` has a tracer.
 * @param isSelfTrace whether a request carries nothing but such spans: a span for it would cause the next request
 */
export const traced = (
  transport: Transport,
  telemetry: Telemetry,
  labels: Labels,
  isSelfTrace: (request: Buffer) => boolean = () => false,
): Transport => ({
  send(request) {
    const { tracer } = telemetry;
    if (tracer === undefined || isSelfTrace(request)) return transport.send(request);
    return sendInSpan(transport, request, labels, tracer);
  },
  close: () => transport.close(),
});

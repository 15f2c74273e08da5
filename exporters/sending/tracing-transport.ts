import type { OwnTracer } from '../shared/own-tracer.ts';
import type { Telemetry } from '../shared/telemetry.ts';
import type { SendResult, Transport } from './send-result.ts';

interface Labels {
  readonly signal: string;
  readonly destination: string;
}

async function sendInSpan(
  transport: Transport,
  request: Buffer,
  { signal, destination }: Labels,
  tracer: OwnTracer,
): Promise<SendResult> {
  const span = tracer.startSpan(`export ${signal}`, 'client', {
    'portlight.signal': signal,
    'portlight.destination': destination,
    'portlight.request.size': request.length,
  });
  const result = await transport.send(request, span);
  span.setAttribute('portlight.request.outcome', result.kind);
  span.end(result.kind === 'accepted' ? undefined : result.message);
  return result;
}

/**
 * A transport that creates a span for each request while the agent traces itself.
 * @param isSelfTrace whether a request has only such spans: a span for that request would cause the next one
 */
export const createTracingTransport = (
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

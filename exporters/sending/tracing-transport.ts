import { errorMessage } from '../../collectors/shared/error-message.ts';
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
  let failure: string | undefined;
  try {
    const result = await transport.send(request, span);
    span.setAttribute('portlight.request.outcome', result.kind);
    if (result.kind !== 'accepted') failure = result.message;
    return result;
  } catch (error) {
    failure = errorMessage(error);
    throw error;
  } finally {
    span.end(failure);
  }
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

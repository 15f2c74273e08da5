/** Starts and stops the tracing of the agent's own work. Loads the SDK only when it starts. */

import type { Logger } from 'pino';
import type { Destination } from '../../config/destinations.ts';
import type { Config } from '../../config/schema.ts';
import type { Telemetry } from '../../exporters/shared/telemetry.ts';
import type { OwnTraces, OwnTracesOptions } from './own-traces.ts';
import { receivesTraces } from './pipeline-options.ts';

/** From now on `telemetry.tracer` is set. */
export async function startTracing(telemetry: Telemetry, options: OwnTracesOptions): Promise<OwnTraces> {
  const { startOwnTraces } = await import('./own-traces.ts');
  const traces = startOwnTraces(options);
  telemetry.tracer = traces.tracer;
  return traces;
}

/** Emits the spans that wait. @param traces undefined where nothing is traced */
export async function stopTracing(telemetry: Telemetry, traces: OwnTraces | undefined): Promise<void> {
  telemetry.tracer = undefined;
  try {
    await traces?.shutdown();
  } catch (error) {
    telemetry.reportError('sdk', error);
  }
}

/**
 * Starts tracing where `telemetry.traces` is on and a destination receives traces.
 * @returns undefined where the agent does not trace itself
 */
export async function traceItself(
  config: Config,
  destinations: readonly Destination[],
  logger: Logger,
  telemetry: Telemetry,
  options: OwnTracesOptions,
): Promise<OwnTraces | undefined> {
  if (!config.telemetry.traces) return undefined;
  if (receivesTraces(destinations)) return startTracing(telemetry, options);
  logger.warn('telemetry.traces: no OTLP destination receives traces; the agent does not trace itself');
  return undefined;
}

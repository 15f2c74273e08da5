/** Starts and stops the tracing of the agent's own work. Loads the SDK only when it starts. */

import type { Telemetry } from '../../exporters/shared/telemetry.ts';
import type { OwnTraces, OwnTracesOptions } from './own-traces.ts';

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

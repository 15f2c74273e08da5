/** What the configuration decides about the pipeline. */

import { compileWildcards } from '../../collectors/shared/wildcard.ts';
import type { Destination } from '../../config/destinations.ts';
import type { Config } from '../../config/schema.ts';
import type { Telemetry } from '../../exporters/shared/telemetry.ts';
import { logProcessingFor } from '../logs/processing-for-container.ts';
import type { PipelineOptions } from '../pipeline/pipeline.ts';

type ConfiguredOptions = Pick<
  PipelineOptions,
  'dialect' | 'temporality' | 'wantsEvent' | 'traces' | 'logProcessing'
>;

export const receivesTraces = (destinations: readonly Destination[]): boolean =>
  destinations.some(({ kinds }) => kinds.includes('traces'));

export function pipelineOptions(
  config: Config,
  destinations: readonly Destination[],
  telemetry: Telemetry,
): ConfiguredOptions {
  const isExcludedEvent = compileWildcards(...config.events.exclude);
  return {
    dialect: config.otlp.metric_names === 'docker_stats' ? 'dockerStats' : 'semconv',
    temporality: config.otlp.temporality === 'delta' ? 'delta' : 'cumulative',
    wantsEvent: (name) => !isExcludedEvent(name),
    traces: config.traces.enabled && receivesTraces(destinations),
    logProcessing: logProcessingFor(config.logs, destinations, telemetry),
  };
}

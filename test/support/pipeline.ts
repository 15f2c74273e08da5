/** A pipeline that exports everything, and does nothing else. */
import { Pipeline, type PipelineOptions } from '../../agent/pipeline/pipeline.ts';

type Needed = 'exporters' | 'telemetry' | 'logProcessing';

export const plainPipeline = (
  given: Pick<PipelineOptions, Needed> & Partial<Omit<PipelineOptions, Needed>>,
): Pipeline =>
  new Pipeline({
    dialect: 'semconv',
    temporality: 'cumulative',
    wantsEvent: () => true,
    traces: false,
    onLines() {},
    onEvent() {},
    onDropped() {},
    ...given,
  });

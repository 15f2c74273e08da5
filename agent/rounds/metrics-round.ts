/** What one round of metrics does: collects from every target, evaluates the rules, and exports. */

import type { MetricSet } from '../../collectors/records/points.ts';
import { inChildSpan } from '../../exporters/shared/own-tracer.ts';
import type { Telemetry } from '../../exporters/shared/telemetry.ts';

export interface RoundSource {
  /** Requests what the round cannot read synchronously. */
  prepareRound(signal: AbortSignal): Promise<void>;
  collectRound(): Promise<MetricSet[]>;
}

export interface MetricsRoundOptions {
  readonly sources: readonly RoundSource[];
  readonly telemetry: Telemetry;
  /** Keeps what exits and alerts show later. */
  readonly keepEvidence: (sets: readonly MetricSet[]) => void;
  readonly evaluateRules: (sets: readonly MetricSet[]) => Promise<void>;
  readonly exportSets: (sets: readonly MetricSet[]) => Promise<void>;
}

/** Never rejects: a failed round is reported, and the next one comes. */
export async function runMetricsRound(options: MetricsRoundOptions, deadline: AbortSignal): Promise<void> {
  const { sources, telemetry } = options;
  const span = telemetry.tracer?.startSpan('metrics round', 'internal');
  try {
    await inChildSpan(span, 'prepare', async () => {
      await Promise.all(sources.map((source) => source.prepareRound(deadline)));
    });
    const sets = await inChildSpan(span, 'collect', async () =>
      (await Promise.all(sources.map((source) => source.collectRound()))).flat(),
    );
    span?.setAttribute('portlight.resources', sets.length);
    options.keepEvidence(sets);
    // A rule that fails must not keep metrics from being exported.
    await inChildSpan(span, 'evaluate rules', () => options.evaluateRules(sets)).catch((error) =>
      telemetry.reportError('alerts', error),
    );
    await inChildSpan(span, 'encode and export', () => options.exportSets(sets));
    span?.end();
  } catch (error) {
    telemetry.reportError('round', error);
    span?.end(String(error));
  }
}

/** The metrics and events that alert rules read, of real containers, as the agent sent them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { metrics } from '../../collectors/catalogue/index.ts';
import type { Attributes, Metric, Point } from '../../collectors/records/records.ts';
import { AlertSimulation, alertContainer } from '../support/alerts.ts';

export const RECORDING = join(import.meta.dirname, '../fixtures/alerts/workloads.json');

export interface RecordedSeries {
  readonly metric: string;
  readonly attributes: Attributes;
  /** By round; null where the agent sent no value. */
  readonly values: readonly (number | null)[];
}

export interface RecordedEvent {
  /** Round in which it arrived. */
  readonly round: number;
  readonly name: string;
  readonly attributes: Attributes;
}

export interface RecordedContainer {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** By round, which run of the container it is of, from 1; 0 where it does not run. */
  readonly runs: readonly number[];
  readonly series: readonly RecordedSeries[];
  readonly events: readonly RecordedEvent[];
}

export interface AlertRecording {
  /** Seconds between rounds. */
  readonly interval: number;
  readonly rounds: number;
  readonly host: readonly RecordedSeries[];
  readonly containers: readonly RecordedContainer[];
}

export const readRecording = (): AlertRecording => JSON.parse(readFileSync(RECORDING, 'utf8'));

const byName = new Map<string, Metric>(metrics.map((metric) => [metric.name, metric]));

const pointsAt = (series: readonly RecordedSeries[], round: number): Point[] =>
  series.flatMap(({ metric, attributes, values }) => {
    const value = values[round] ?? null;
    return value === null ? [] : [{ metric: byName.get(metric)!, value, attributes }];
  });

/**
 * Plays a recording to the alert engine with all built-in rules, in virtual time.
 * @returns by container, `firing memory`, … in the order of emission
 */
export function replayAlerts(recording: AlertRecording): Map<string, string[]> {
  const scene = new AlertSimulation({ enable: ['no_memory_limit'] }, undefined, recording.interval * 1000);
  const containers = recording.containers.map((recorded) => {
    const container = alertContainer(recorded.name, recorded.labels);
    scene.existingIds.add(container.id);
    return { recorded, container };
  });
  for (let round = 0; round < recording.rounds; round++) {
    for (const { recorded, container } of containers) {
      const run = recorded.runs[round]!;
      container.pid = run;
      container.startedAt = BigInt(run);
      for (const event of recorded.events)
        if (event.round === round) scene.playEvent(container, event.name, event.attributes);
    }
    scene.playRound(
      containers.map(({ recorded, container }) => [container, pointsAt(recorded.series, round)] as const),
      pointsAt(recording.host, round),
    );
  }
  return new Map(
    containers.map(({ container }) => [
      container.name,
      scene.emitted
        .filter((alert) => alert.container?.id === container.id)
        .map(({ status, rule }) => `${status} ${rule}`),
    ]),
  );
}

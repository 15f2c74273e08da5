/** The accuracy of the rule `memory_forecast` on recorded series, with the real alert engine. */
import { catalogue } from '../../collectors/catalogue/index.ts';
import { AlertSimulation, alertContainer } from '../support/alerts.ts';
import { readSeries, type Series } from './series.ts';

const RULE = 'memory_forecast';
/** A warning counts as right if a kill follows within this time, s: the 15 minutes of the rule and half as much. */
const RIGHT_S = 900 * 1.5;
/** Minimum length of a run to forecast, s: 7.5 minutes of history and a `for` of 1 minute. */
const MIN_RUN_S = 510;
/** A warning must come this long before the kill to count, s. */
const MIN_LEAD_S = 60;

export interface Warning {
  /** Seconds since the recording began. */
  readonly from: number;
  readonly to: number;
  /** Undefined where the recording ends too soon. */
  readonly isRight: boolean | undefined;
}

export interface Scored {
  readonly series: Series;
  readonly warnings: readonly Warning[];
  /** Kills of runs that were long enough to forecast, and how long before each the warning came, s. */
  readonly kills: readonly { readonly at: number; readonly lead: number | undefined }[];
}

function warningsOf({ name, interval, values, limit, startedAt }: Series): { from: number; to: number }[] {
  const scene = new AlertSimulation({}, undefined, interval * 1000);
  const container = alertContainer(name);
  const warnings: { from: number; to: number }[] = [];
  let emittedCount = 0;
  values.forEach((value, index) => {
    const time = index * interval;
    const run = startedAt.filter((at) => at <= time).length;
    container.startedAt = BigInt(run);
    container.pid = value === null ? 0 : run;
    const points =
      value === null
        ? []
        : [
            { metric: catalogue.memoryWorkingSet, value },
            { metric: catalogue.memoryLimit, value: limit },
          ];
    scene.playRound([[container, points]]);
    for (const alert of scene.emitted.slice(emittedCount)) {
      emittedCount++;
      if (alert.rule !== RULE) continue;
      if (alert.status === 'firing') warnings.push({ from: time, to: Number.POSITIVE_INFINITY });
      else warnings.at(-1)!.to = time;
    }
  });
  return warnings;
}

export function scoreOf(series: Series): Scored {
  const end = (series.values.length - 1) * series.interval;
  const found = warningsOf(series);
  const warnings = found.map(({ from, to }): Warning => {
    // A kill of a later run, after a restart, does not count.
    const next = Math.min(...series.startedAt.filter((start) => start > from));
    const isMet = series.oomAt.some((at) => at >= from && at - from <= RIGHT_S && at <= next);
    return { from, to, isRight: isMet ? true : end - from < RIGHT_S ? undefined : false };
  });
  // Kills within a minute count as one.
  const kills = series.oomAt.filter((at, index) => index === 0 || at - series.oomAt[index - 1]! > 60);
  const scoredKills = kills.flatMap((at) => {
    const start = Math.max(...series.startedAt.filter((one) => one < at));
    if (at - start < MIN_RUN_S) return [];
    const warning = found.find(({ from, to }) => from <= at - MIN_LEAD_S && to >= at - MIN_LEAD_S);
    return [{ at, lead: warning && at - warning.from }];
  });
  return { series, warnings, kills: scoredKills };
}

export interface Score {
  readonly all: readonly Scored[];
  readonly right: number;
  readonly wrong: number;
  readonly forecastKills: number;
  readonly kills: number;
}

export function score(): Score {
  const all = readSeries().map(scoreOf);
  const warnings = all.flatMap((one) => one.warnings);
  const kills = all.flatMap((one) => one.kills);
  return {
    all,
    right: warnings.filter(({ isRight }) => isRight === true).length,
    wrong: warnings.filter(({ isRight }) => isRight === false).length,
    forecastKills: kills.filter(({ lead }) => lead !== undefined).length,
    kills: kills.length,
  };
}

const minutes = (seconds: number): string => `${Math.round(seconds / 60)} min`;

/** The section on forecast accuracy of docs/alerts.md. */
export function scoreSection({ all, right, wrong, forecastKills, kills }: Score): string[] {
  const rows = all.map(({ series, warnings, kills: ofSeries }) => [
    series.name,
    series.description,
    ofSeries
      .map(
        ({ at, lead }) =>
          `${minutes(at)}${lead === undefined ? ', no warning' : `, ${minutes(lead)} before`}`,
      )
      .join('; ') || '-',
    warnings
      .map(
        ({ from, isRight }) =>
          `${minutes(from)}${isRight === false ? ' (wrong)' : isRight === undefined ? ' (recording ends)' : ''}`,
      )
      .join('; ') || '-',
  ]);
  const percent = (part: number, whole: number) => `${Math.round((100 * part) / whole)} %`;
  return [
    '## Forecast accuracy',
    '',
    `${all.length} containers were recorded for an hour (\`test/forecast\`). About half of them leak until the kernel kills them; the`,
    'others only look like a leak at times. The rule was evaluated on the recordings:',
    '',
    `- **Precision ${percent(right, right + wrong)}**: of ${right + wrong} warnings, ${right} were followed by a kill within ${RIGHT_S / 60} minutes.`,
    `- **Recall ${percent(forecastKills, kills)}**: of ${kills} kills of runs that lasted long enough to forecast (${MIN_RUN_S / 60} minutes), ${forecastKills} were forecast`,
    `  at least ${MIN_LEAD_S} s before.`,
    '',
    '| container | workload | OOM kills, warning before | warnings |',
    '| --- | --- | --- | --- |',
    ...rows.map((cells) => `| ${cells.join(' | ')} |`),
    '',
  ];
}

/** How often the rule `memory_forecast` is right, on recorded series, with the whole engine of alerts. */
import { catalogue } from '../../collectors/catalogue/index.ts';
import { Scene, watchedContainer } from '../support/alerts.ts';
import { readSeries, type Series } from './series.ts';

const RULE = 'memory_forecast';
/** What the rule says: the limit is reached within 15 minutes; half as much more is still right. s */
const RIGHT = 900 * 1.5;
/** Evidence of 7.5 minutes and a minute of holding: what is faster cannot be forecast. s */
const LEAST = 510;
/** A warning that came later than this before is none. s */
const LEAD = 60;

export interface Warning {
  /** Seconds since the recording began. */
  readonly from: number;
  readonly to: number;
  /** Undefined where the recording ended too soon to tell. */
  readonly isRight: boolean | undefined;
}

export interface Scored {
  readonly series: Series;
  readonly warnings: readonly Warning[];
  /** When the limit was met by a run that was long enough to be warned of, and how long before it the warning came, s. */
  readonly met: readonly { readonly at: number; readonly lead: number | undefined }[];
}

function warningsOf({ name, interval, values, limit, startedAt }: Series): { from: number; to: number }[] {
  const scene = new Scene({}, undefined, interval * 1000);
  const container = watchedContainer(name);
  const warnings: { from: number; to: number }[] = [];
  let told = 0;
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
    scene.round([[container, points]]);
    for (const alert of scene.told.slice(told)) {
      told++;
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
    // A kill of a later run, after a restart, proves nothing.
    const next = Math.min(...series.startedAt.filter((start) => start > from));
    const isMet = series.oomAt.some((at) => at >= from && at - from <= RIGHT && at <= next);
    return { from, to, isRight: isMet ? true : end - from < RIGHT ? undefined : false };
  });
  // Several kills in a row are one.
  const kills = series.oomAt.filter((at, index) => index === 0 || at - series.oomAt[index - 1]! > 60);
  const met = kills.flatMap((at) => {
    const began = Math.max(...series.startedAt.filter((start) => start < at));
    if (at - began < LEAST) return [];
    const warning = found.find(({ from, to }) => from <= at - LEAD && to >= at - LEAD);
    return [{ at, lead: warning && at - warning.from }];
  });
  return { series, warnings, met };
}

export interface Score {
  readonly all: readonly Scored[];
  readonly right: number;
  readonly wrong: number;
  readonly forewarned: number;
  readonly met: number;
}

export function score(): Score {
  const all = readSeries().map(scoreOf);
  const warnings = all.flatMap((one) => one.warnings);
  const met = all.flatMap((one) => one.met);
  return {
    all,
    right: warnings.filter(({ isRight }) => isRight === true).length,
    wrong: warnings.filter(({ isRight }) => isRight === false).length,
    forewarned: met.filter(({ lead }) => lead !== undefined).length,
    met: met.length,
  };
}

const minutes = (seconds: number): string => `${Math.round(seconds / 60)} min`;

/** The section of docs/alerts.md. */
export function scoreSection({ all, right, wrong, forewarned, met }: Score): string[] {
  const rows = all.map(({ series, warnings, met: own }) => [
    series.name,
    series.description,
    own
      .map(
        ({ at, lead }) =>
          `${minutes(at)}${lead === undefined ? ', not warned of' : `, ${minutes(lead)} before`}`,
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
    '## How often the forecast is right',
    '',
    `${all.length} containers were recorded for an hour (\`test/forecast\`): about half of them leak until the kernel kills them,`,
    'the others only look like it now and then. The recordings are played to the rule as it is:',
    '',
    `- **Precision ${percent(right, right + wrong)}**: of ${right + wrong} warnings, ${right} were followed by a kill within ${RIGHT / 60} minutes.`,
    `- **Recall ${percent(forewarned, met)}**: of ${met} kills of runs that lasted long enough to be judged (${LEAST / 60} minutes), ${forewarned} were warned of`,
    `  at least ${LEAD} s before.`,
    '',
    '| container | what it does | limit met, warned | warnings |',
    '| --- | --- | --- | --- |',
    ...rows.map((cells) => `| ${cells.join(' | ')} |`),
    '',
  ];
}

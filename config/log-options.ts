/** Options of logs. A container's label `portlight.logs.<key>` overrides those in `containerLogOptions`. */
import * as v from 'valibot';
import { defaultFirstSight } from './defaults.ts';
import { parseDuration } from './duration.ts';
import {
  booleanValue,
  durationBetween,
  type Leaf,
  numberBetween,
  oneOf,
  option,
  optionalTextWhere,
  patternList,
  sizeBetween,
  textList,
} from './option.ts';
import { isPattern } from './pattern.ts';
import { parseRedaction, redactionNames } from './redaction.ts';
import { severityRanges } from './severity.ts';

const MEBIBYTE = 1024 * 1024;
const PATTERN = 'regular expressions without look-around and back-references';
/** How lines are parsed. */
const parserNames = ['auto', 'json', 'logfmt', 'none'] as const;
export type ParserName = (typeof parserNames)[number];

/** Languages whose stack traces are joined. */
const multilinePresetNames = ['indent', 'java', 'python', 'go', 'node', 'ruby', 'dotnet'] as const;
export type MultilinePreset = (typeof multilinePresetNames)[number];

const multilineNames = ['none', ...multilinePresetNames] as const;
const severityNames = [
  'none',
  ...severityRanges.map((name) => name.toLowerCase() as Lowercase<typeof name>),
] as const;
const fieldTargets = ['attributes', 'body'] as const;

/** `last 10m` → milliseconds; undefined for anything else. */
export function parseLast(text: string): number | undefined {
  const match = /^last (\S+)$/.exec(text);
  const duration = match === null ? Number.NaN : parseDuration(match[1]!);
  return duration > 0 ? duration : undefined;
}

const offByDefault = (description: string) =>
  option(description, { allowed: 'true or false', flag: 'true|false', default: false }, booleanValue);

/** Options that a container's label can override. */
export const containerLogOptions = {
  parser: option(
    'Parser of log lines: auto (JSON, logfmt, and levels in plain text), json, logfmt, or none',
    { allowed: `one of ${parserNames.join(', ')}`, values: parserNames, flag: 'name', default: 'auto' },
    oneOf(parserNames),
  ),
  fields: option(
    'Where the fields of a parsed line go',
    { allowed: 'attributes or body', values: fieldTargets, flag: 'where', default: 'attributes' },
    oneOf(fieldTargets),
  ),
  multiline: option(
    'Lines to join into one record: stack traces of a language, or all indented lines',
    {
      allowed: `one of ${multilineNames.join(', ')}`,
      values: multilineNames,
      flag: 'name',
      default: 'none',
    },
    oneOf(multilineNames),
  ),
  multiline_start: option(
    'Pattern of the first line of a record; all lines up to the next match belong to the record',
    { allowed: `one of ${PATTERN}`, flag: 'pattern' },
    optionalTextWhere(isPattern),
  ),
  multiline_timeout: option(
    'How long a record waits for its next line',
    {
      allowed: 'a duration between 10ms and 1m with its unit, such as 1s',
      flag: 'duration',
      default: '1s',
    },
    durationBetween(10, 60_000),
  ),
  max_line: option(
    'Maximum size of a record. Longer records are truncated, marked and counted',
    {
      allowed: 'a size between 1KiB and 2MiB with its unit, such as 64KiB',
      flag: 'size',
      default: '1MiB',
    },
    sizeBetween(1024, 2 * MEBIBYTE),
  ),
  file_place: offByDefault(
    'Whether records contain the file that they were read from (log.file.path) and their offset in it (log.file.offset)',
  ),
  strip_ansi: offByDefault('Whether to remove colours and other terminal control sequences'),
  redact: option(
    'What to replace with [redacted] before anything is stored',
    {
      allowed: `a list of ${redactionNames.join(', ')} or /pattern/replacement/`,
      flag: 'rules',
      default: [],
    },
    textList((rule) => parseRedaction(rule) !== undefined),
  ),
  keep: option(
    'Keep only lines that match one of these patterns; all by default',
    { allowed: PATTERN, flag: 'pattern', default: [] },
    patternList(isPattern),
  ),
  drop: option(
    'Drop lines that match one of these patterns; dropped lines are counted',
    { allowed: PATTERN, flag: 'pattern', default: [] },
    patternList(isPattern),
  ),
  min_severity: option(
    'Drop lines of a lower severity; dropped lines are counted. Lines without a severity are kept',
    {
      allowed: `one of ${severityNames.join(', ')}`,
      values: severityNames,
      flag: 'name',
      default: 'none',
    },
    oneOf(severityNames),
  ),
  rate_limit: option(
    'Maximum lines per second of a container. Further lines are dropped, counted and summed up; 0 means no limit',
    { allowed: 'a whole number up to 1000000', flag: 'lines', default: 0 },
    numberBetween(0, 1_000_000),
  ),
};

export const logOptions = {
  first_sight: option(
    'Where to start reading the log of a container that already ran when the agent first saw it. By default start; now if console is the only exporter',
    {
      allowed: 'start, now, or last and a duration, such as "last 10m"',
      flag: 'where',
      computeDefault: defaultFirstSight,
    },
    v.pipe(
      v.string(),
      v.check((where) => where === 'start' || where === 'now' || parseLast(where) !== undefined),
    ) as Leaf<string>,
  ),
  ...containerLogOptions,
};

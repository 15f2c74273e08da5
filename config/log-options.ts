/**
 * What a user can say of logs: for all containers, and, for what is in `steering`, for one of them by its
 * label `portlight.logs.<key>`.
 */
import * as v from 'valibot';
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
export const parserNames = ['auto', 'json', 'logfmt', 'none'] as const;
export type ParserName = (typeof parserNames)[number];

/** Languages whose stack traces are joined. */
export const multilinePresets = ['indent', 'java', 'python', 'go', 'node', 'ruby', 'dotnet'] as const;
export type MultilinePreset = (typeof multilinePresets)[number];

const multilineNames = ['none', ...multilinePresets] as const;
const severityNames = [
  'none',
  ...severityRanges.map((name) => name.toLowerCase() as Lowercase<typeof name>),
] as const;
const fieldPlaces = ['attributes', 'body'] as const;

/** `last 10m` → milliseconds; undefined for anything else. */
export function parseLast(text: string): number | undefined {
  const match = /^last (\S+)$/.exec(text);
  const duration = match === null ? Number.NaN : parseDuration(match[1]!);
  return duration > 0 ? duration : undefined;
}

const booleanOption = (description: string) =>
  option(description, { allowed: 'true or false', flag: 'true|false' }, booleanValue);

/** What a container's label can say otherwise. */
export const containerLogOptions = {
  parser: option(
    'How lines are read: JSON objects and logfmt into attributes, and levels in plain text (auto); only one of the formats; or not at all',
    { allowed: `one of ${parserNames.join(', ')}`, values: parserNames, flag: 'name' },
    oneOf(parserNames),
  ),
  fields: option(
    'Where the fields of a parsed line go',
    { allowed: 'attributes or body', values: fieldPlaces, flag: 'where' },
    oneOf(fieldPlaces),
  ),
  multiline: option(
    'Which lines are one record: stack traces of a language, or whatever is indented',
    { allowed: `one of ${multilineNames.join(', ')}`, values: multilineNames, flag: 'name' },
    oneOf(multilineNames),
  ),
  multiline_start: option(
    'Pattern of the first line of a record; every line up to the next such line belongs to it',
    { allowed: `one of ${PATTERN}`, flag: 'pattern' },
    optionalTextWhere(isPattern),
  ),
  multiline_timeout: option(
    'How long a record waits for a line that belongs to it',
    { allowed: 'a duration between 10ms and 1m with its unit, such as 1s', flag: 'duration' },
    durationBetween(10, 60_000),
  ),
  max_line: option(
    'Size of a record above which the rest is left out, marked and counted',
    { allowed: 'a size between 1KiB and 2MiB with its unit, such as 64KiB', flag: 'size' },
    sizeBetween(1024, 2 * MEBIBYTE),
  ),
  file_place: booleanOption(
    'Whether records tell the file that they were read from (log.file.path) and where in it (log.file.offset)',
  ),
  strip_ansi: booleanOption('Whether colours and other terminal control sequences are taken out'),
  redact: option(
    'What is replaced by [redacted] before anything is stored',
    {
      allowed: `a list of ${redactionNames.join(', ')} or /pattern/replacement/`,
      flag: 'rules',
    },
    textList((rule) => parseRedaction(rule) !== undefined),
  ),
  keep: option(
    'Only lines that fit one of these patterns are kept; all by default',
    { allowed: PATTERN, flag: 'pattern' },
    patternList(isPattern),
  ),
  drop: option(
    'Lines that fit one of these patterns are dropped, and counted',
    { allowed: PATTERN, flag: 'pattern' },
    patternList(isPattern),
  ),
  min_severity: option(
    'Lines of a lower severity are dropped, and counted; those without one are kept',
    { allowed: `one of ${severityNames.join(', ')}`, values: severityNames, flag: 'name' },
    oneOf(severityNames),
  ),
  rate_limit: option(
    'Lines a second of one container above which they are dropped, counted and summed up; 0 is no limit',
    { allowed: 'a whole number up to 1000000', flag: 'lines' },
    numberBetween(0, 1_000_000),
  ),
};

export const logOptions = {
  first_sight: option(
    'Where to begin with the log of a container that was running before the agent first saw it. By default start, and now where the console is the only exporter',
    { allowed: 'start, now, or last and a duration, such as "last 10m"', flag: 'where' },
    v.pipe(
      v.string(),
      v.check((where) => where === 'start' || where === 'now' || parseLast(where) !== undefined),
    ) as Leaf<string>,
  ),
  ...containerLogOptions,
};

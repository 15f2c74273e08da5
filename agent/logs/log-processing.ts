/** How one container's lines are processed: the configuration, overridden by the container's labels. */

import * as v from 'valibot';
import type { LinearPattern } from '../../config/linear-pattern.ts';
import type { ParserName } from '../../config/log-options.ts';
import { containerLogOptions } from '../../config/log-options.ts';
import { type OptionMetadata, optionMetadata } from '../../config/option.ts';
import { compilePattern } from '../../config/pattern.ts';
import type { Config } from '../../config/schema.ts';
import { numberOfRange } from '../../config/severity.ts';
import { joinUntilStart, type LineJoining, multilinePresets } from './multiline.ts';
import { compileRedaction } from './redact.ts';

export interface LogProcessing {
  readonly parser: ParserName;
  readonly fieldsTarget: 'attributes' | 'body';
  readonly lineJoining: LineJoining | undefined;
  readonly multilineMs: number;
  readonly maxLineBytes: number;
  readonly wantsFileOffset: boolean;
  readonly stripAnsi: boolean;
  readonly redact: ((text: string) => string) | undefined;
  readonly keep: readonly LinearPattern[];
  readonly drop: readonly LinearPattern[];
  /** SeverityNumber; 0 for all. */
  readonly minSeverity: number;
  /** Lines a second; 0 for no limit. */
  readonly linesPerSecond: number;
}

type LogOptionValues = Pick<Config['logs'], keyof typeof containerLogOptions>;

const PREFIX = 'portlight.logs.';

/** Whether the container's log is read: the label `portlight.logs` is not `false`. */
export const isFollowed = (labels: Readonly<Record<string, string>>): boolean =>
  labels['portlight.logs'] !== 'false';

/** @param onMistake called with one line for each label that is not valid */
export function compileLogProcessing(
  config: Config['logs'],
  labels: Readonly<Record<string, string>>,
  onMistake: (mistake: string) => void,
): LogProcessing {
  const overrides: Record<string, unknown> = {};
  for (const [label, value] of Object.entries(labels)) {
    if (!label.startsWith(PREFIX)) continue;
    const key = label.slice(PREFIX.length);
    const schema = Object.hasOwn(containerLogOptions, key)
      ? containerLogOptions[key as keyof typeof containerLogOptions]
      : undefined;
    if (schema === undefined) {
      onMistake(`unknown label ${label}; expected ${PREFIX}${Object.keys(containerLogOptions).join(', ')}`);
      continue;
    }
    const result = v.safeParse(schema as v.GenericSchema, value);
    if (result.success) overrides[key] = result.output;
    else {
      const { allowed }: OptionMetadata = optionMetadata(schema);
      onMistake(`label ${label}: ${JSON.stringify(value)} is not allowed; expected ${allowed}`);
    }
  }
  return compile({ ...config, ...overrides });
}

function compile(options: LogOptionValues): LogProcessing {
  const { multiline, multiline_start: start } = options;
  const preset = multiline === 'none' ? undefined : multilinePresets[multiline];
  return {
    parser: options.parser,
    fieldsTarget: options.fields,
    lineJoining: start === undefined ? preset : joinUntilStart(start),
    multilineMs: options.multiline_timeout,
    maxLineBytes: options.max_line,
    wantsFileOffset: options.file_place,
    stripAnsi: options.strip_ansi,
    redact: compileRedaction(options.redact),
    keep: options.keep.map((source) => compilePattern(source)),
    drop: options.drop.map((source) => compilePattern(source)),
    minSeverity: options.min_severity === 'none' ? 0 : numberOfRange(options.min_severity),
    linesPerSecond: options.rate_limit,
  };
}

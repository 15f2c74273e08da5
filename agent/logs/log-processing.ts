/** What is done to one container's lines: the configuration, and what the container's labels say otherwise. */

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
  /** Bytes. */
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

type Steering = Pick<Config['logs'], keyof typeof containerLogOptions>;

const PREFIX = 'portlight.logs.';

/** Whether the container's label `portlight.logs` allows that its log is read. */
export const isFollowed = (labels: Readonly<Record<string, string>>): boolean =>
  labels['portlight.logs'] !== 'false';

/** @param onMistake told of each label that cannot be taken, in one line */
export function compileLogProcessing(
  config: Config['logs'],
  labels: Readonly<Record<string, string>>,
  onMistake: (mistake: string) => void,
): LogProcessing {
  const said: Record<string, unknown> = {};
  for (const [label, value] of Object.entries(labels)) {
    if (!label.startsWith(PREFIX)) continue;
    const key = label.slice(PREFIX.length);
    const schema = Object.hasOwn(containerLogOptions, key)
      ? containerLogOptions[key as keyof typeof containerLogOptions]
      : undefined;
    if (schema === undefined) {
      onMistake(
        `label ${label} is not known; expected ${PREFIX}${Object.keys(containerLogOptions).join(', ')}`,
      );
      continue;
    }
    const result = v.safeParse(schema as v.GenericSchema, value);
    if (result.success) said[key] = result.output;
    else {
      const { allowed }: OptionMetadata = optionMetadata(schema);
      onMistake(`label ${label}: ${JSON.stringify(value)} is not allowed; expected ${allowed}`);
    }
  }
  return compile({ ...config, ...said });
}

function compile(steering: Steering): LogProcessing {
  const { multiline, multiline_start: start } = steering;
  const preset = multiline === 'none' ? undefined : multilinePresets[multiline];
  return {
    parser: steering.parser,
    fieldsTarget: steering.fields,
    lineJoining: start === undefined ? preset : joinUntilStart(start),
    multilineMs: steering.multiline_timeout,
    maxLineBytes: steering.max_line,
    wantsFileOffset: steering.file_place,
    stripAnsi: steering.strip_ansi,
    redact: compileRedaction(steering.redact),
    keep: steering.keep.map((source) => compilePattern(source)),
    drop: steering.drop.map((source) => compilePattern(source)),
    minSeverity: steering.min_severity === 'none' ? 0 : numberOfRange(steering.min_severity),
    linesPerSecond: steering.rate_limit,
  };
}

/** Formatting of events as lines. */

import { Severity } from '../../../collectors/records/records.ts';
import type { Paint, Style } from '../../../exporters/console/colours.ts';
import { toSingleLine, truncate } from '../../../exporters/console/text.ts';
import type { EventEntry } from '../../../exporters/dashboard/api.ts';

export const styleOfSeverity = (severity: number): Style | undefined =>
  severity >= Severity.ERROR
    ? 'red'
    : severity >= Severity.WARN
      ? 'yellow'
      : severity > 0 && severity < Severity.INFO
        ? 'dim'
        : undefined;

/** Time in UTC, with the day unless it is today. */
function clock(time: number): string {
  const [day = '', rest = ''] = new Date(time).toISOString().split('T');
  const today = new Date().toISOString().slice(0, 10);
  return `${day === today ? '' : `${day} `}${rest.slice(0, 12)}`;
}

/** Formats an event as one line. @param columns maximum width; unlimited by default */
export function eventLine({ severity, time, body }: EventEntry, paint: Paint, columns?: number): string {
  const when = clock(time);
  const whole = toSingleLine(body);
  const text = columns === undefined ? whole : truncate(whole, Math.max(0, columns - when.length - 1));
  const style = styleOfSeverity(severity);
  return `${paint('dim', when)} ${style === undefined ? text : paint(style, text)}`;
}

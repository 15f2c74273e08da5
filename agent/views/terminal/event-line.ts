/** Events and log lines as lines for a person. */

import { Severity } from '../../../collectors/records/records.ts';
import type { Paint, Style } from '../../../exporters/console/colours.ts';
import { inCells, truncate } from '../../../exporters/console/text.ts';
import type { EventEntry } from '../../../exporters/dashboard/api.ts';

export const styleOfSeverity = (severity: number): Style | undefined =>
  severity >= Severity.ERROR
    ? 'red'
    : severity >= Severity.WARN
      ? 'yellow'
      : severity > 0 && severity < Severity.INFO
        ? 'dim'
        : undefined;

/** UTC; the day where it is not today, and the time. */
function clock(time: number): string {
  const [day = '', rest = ''] = new Date(time).toISOString().split('T');
  const today = new Date().toISOString().slice(0, 10);
  return `${day === today ? '' : `${day} `}${rest.slice(0, 12)}`;
}

/** One line of what happened. @param columns that it has to fit into; by default it is as long as it is */
export function eventLine({ severity, time, body }: EventEntry, paint: Paint, columns?: number): string {
  const when = clock(time);
  const whole = inCells(body);
  const text = columns === undefined ? whole : truncate(whole, Math.max(0, columns - when.length - 1));
  const style = styleOfSeverity(severity);
  return `${paint('dim', when)} ${style === undefined ? text : paint(style, text)}`;
}

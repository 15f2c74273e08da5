/** How a log line's severity looks. */
import type { Style } from '../../exporters/console/colours.ts';
import { Severity } from '../records.ts';

export const styleOfSeverity = (severity: number): Style | undefined =>
  severity >= Severity.ERROR
    ? 'red'
    : severity >= Severity.WARN
      ? 'yellow'
      : severity > 0 && severity < Severity.INFO
        ? 'dim'
        : undefined;

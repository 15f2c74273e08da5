/** The severity names that a user may write, of logs and of alerts. */

/** Of log records, lowest first: OpenTelemetry's ranges of SeverityNumber. */
export const severityRanges = ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'] as const;

/** The SeverityNumber that a range begins with, 1 to 21; -3 for a name that is not a range. */
export const numberOfRange = (name: string): number =>
  severityRanges.indexOf(name.toUpperCase() as (typeof severityRanges)[number]) * 4 + 1;

/** Of alerts, lowest first. */
export const alertSeverities = ['info', 'warning', 'critical'] as const;
export type AlertSeverity = (typeof alertSeverities)[number];

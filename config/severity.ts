/** Severity names in the configuration, of logs and of alerts. */

/** Severities of log records, lowest first: the ranges of OpenTelemetry's SeverityNumber. */
export const severityRanges = ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'] as const;

/** The lowest SeverityNumber of a range, 1 to 21; -3 for an unknown name. */
export const numberOfRange = (name: string): number =>
  severityRanges.indexOf(name.toUpperCase() as (typeof severityRanges)[number]) * 4 + 1;

/** Severities of alerts, lowest first. */
export const alertSeverities = ['info', 'warning', 'critical'] as const;
export type AlertSeverity = (typeof alertSeverities)[number];

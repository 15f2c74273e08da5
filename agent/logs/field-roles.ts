/** The roles of fields in structured log lines, by the names that logging libraries use. */

export type FieldRole = 'message' | 'level' | 'time' | 'trace' | 'span' | 'parent';

const NAMES: Readonly<Record<FieldRole, readonly string[]>> = {
  message: ['msg', 'message', '@message', 'short_message', 'event'],
  level: ['level', 'severity', 'log.level', 'levelname', 'lvl', '@level', 'loglevel', 'severity_text'],
  time: ['time', 'timestamp', '@timestamp', 'ts', 't', 'datetime'],
  trace: ['trace_id', 'traceId', 'trace.id', 'traceid', 'traceID', 'otelTraceID'],
  span: ['span_id', 'spanId', 'span.id', 'spanid', 'spanID', 'otelSpanID'],
  parent: ['traceparent'],
};

/** A field's role by its name. */
export const FIELD_ROLES: ReadonlyMap<string, FieldRole> = new Map(
  Object.entries(NAMES).flatMap(([role, names]) => names.map((name) => [name, role as FieldRole] as const)),
);

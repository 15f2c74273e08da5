/** What fields of a structured log line say, by the names that logging libraries give them. */

export type Role = 'message' | 'level' | 'time' | 'trace' | 'span' | 'parent';

const NAMES: Readonly<Record<Role, readonly string[]>> = {
  message: ['msg', 'message', '@message', 'short_message', 'event'],
  level: ['level', 'severity', 'log.level', 'levelname', 'lvl', '@level', 'loglevel', 'severity_text'],
  time: ['time', 'timestamp', '@timestamp', 'ts', 't', 'datetime'],
  trace: ['trace_id', 'traceId', 'trace.id', 'traceid', 'traceID', 'otelTraceID'],
  span: ['span_id', 'spanId', 'span.id', 'spanid', 'spanID', 'otelSpanID'],
  parent: ['traceparent'],
};

/** The field's role by its name. */
export const ROLES: ReadonlyMap<string, Role> = new Map(
  Object.entries(NAMES).flatMap(([role, names]) => names.map((name) => [name, role as Role] as const)),
);

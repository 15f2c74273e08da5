import { type Logger, pino, stdSerializers, stdTimeFunctions } from 'pino';

/**
 * The agent's own log on standard error, because standard output belongs to the console exporter: JSON lines, or plain
 * lines on a terminal.
 */
export function createLogger(level: string): Logger {
  const options = {
    level,
    base: undefined,
    timestamp: stdTimeFunctions.isoTime,
    serializers: { error: stdSerializers.err },
  };
  if (!process.stderr.isTTY) return pino(options, process.stderr);
  return pino(options, {
    write(line: string) {
      const { level: number, msg, time, ...facts } = JSON.parse(line);
      const rest = Object.entries(facts).map(([key, value]) => `${key}=${JSON.stringify(value)}`);
      const label = pino.levels.labels[number] ?? 'info';
      process.stderr.write(
        `${[String(time).slice(11, 23), `portlight ${label}:`, msg, ...rest].join(' ')}\n`,
      );
    },
  });
}

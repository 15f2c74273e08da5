/**
 * OpenTelemetry's variables are how its exporters are configured. What the configuration file says of the
 * receiver is put there too, so that every exporter, the SDK's own included, sees the same.
 * Source: https://opentelemetry.io/docs/specs/otel/protocol/exporter/
 */
import type { Config } from '../../config/schema.ts';
import { type Protocol, protocols, type Signal } from './transport.ts';

export function applyToEnvironment({ otlp }: Config): void {
  const set = (name: string, value: string | undefined) => {
    if (value !== undefined) process.env[name] = value;
  };
  set('OTEL_EXPORTER_OTLP_ENDPOINT', otlp.endpoint);
  set('OTEL_EXPORTER_OTLP_PROTOCOL', otlp.protocol);
  set('OTEL_EXPORTER_OTLP_HEADERS', otlp.headers);
}

/**
 * The protocol of a signal: its own variable, else the general one.
 * @throws {Error} when the variable names none
 */
export function protocolOf(signal: Signal): Protocol {
  const name = `OTEL_EXPORTER_OTLP_${signal.toUpperCase()}_PROTOCOL`;
  const value = process.env[name] || process.env.OTEL_EXPORTER_OTLP_PROTOCOL || 'http/protobuf';
  const protocol = protocols.find((known) => known === value);
  if (protocol === undefined)
    throw new Error(`${name}: "${value}" is not allowed; expected one of ${protocols.join(', ')}`);
  return protocol;
}

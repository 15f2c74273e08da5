import { distance } from 'fastest-levenshtein';
import type { Environment } from '../collectors/shared/environment.ts';
import { findNearest } from './invalid-value.ts';
import { options } from './schema.ts';
import type { Settings } from './setting.ts';

/** Reads OpenTelemetry's variables, then those of PORTLIGHT_*. Empty variables count as not set. */
export function readEnvironment(env: Environment, settings: Settings, problems: string[]): void {
  for (const { path, otel, fromOtel } of options) {
    const value = otel === undefined ? undefined : env[otel];
    if (value) settings.set(path, { value: fromOtel?.(value) ?? value, origin: otel! });
  }
  const variables = new Map(options.map((option) => [option.variable, option]));
  for (const [name, value] of Object.entries(env)) {
    if (!name.startsWith('PORTLIGHT_') || name === 'PORTLIGHT_CONFIG' || !value) continue;
    const option = variables.get(name);
    if (option !== undefined) {
      settings.set(option.path, { value, origin: name });
      continue;
    }
    // Others set variables with this prefix too: Kubernetes, for a service named portlight. Only a name that
    // is almost one of ours is a problem.
    const nearest = findNearest(name, variables.keys());
    if (nearest !== undefined && distance(name, nearest) <= 2)
      problems.push(`${name}: is not a known variable; did you mean ${nearest}?`);
  }
}

/**
 * Environment variables in the values of a configuration file, so that one file serves all hosts: `${NAME}`,
 * `${env:NAME}`, `${NAME:-default}`, and `$$` for a dollar sign. A variable is text inside one value: it
 * cannot add keys or end a list.
 * Source:
 * https://opentelemetry.io/docs/specs/otel/configuration/data-model/#environment-variable-substitution
 */
import type { Environment } from '../collectors/shared/environment.ts';

const REFERENCE = /\$\$|\$\{([^}\n]*)\}/g;
const NAME = /^(?:env:)?([A-Za-z_]\w*)(?::-(.*))?$/s;

export const hasVariables = (text: string): boolean => text.search(REFERENCE) !== -1;

/**
 * Replaces variables by their values. An empty variable counts as not set where the reference has a default.
 * @throws {Error} when a variable is not set or a reference is invalid
 */
export function substituteVariables(text: string, env: Environment): string {
  return text.replace(REFERENCE, (reference, inner: string | undefined) => {
    if (inner === undefined) return '$';
    const [, name, fallback] = NAME.exec(inner) ?? [];
    if (name === undefined)
      throw new Error(
        `${JSON.stringify(reference)} is not allowed; expected \${NAME}, \${NAME:-default}, or $$ for a dollar sign`,
      );
    const value = env[name];
    if (fallback !== undefined) return value || fallback;
    if (value === undefined)
      throw new Error(
        `the environment variable ${name} is not set; set it, or add a default: \${${name}:-…}`,
      );
    return value;
  });
}

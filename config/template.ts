/**
 * Variables of the environment in the values of a configuration file, so that one file serves all hosts: `${NAME}`,
 * `${env:NAME}`, `${NAME:-default}`, and `$$` for a dollar sign. What is filled in is text within one value: it can
 * neither add keys nor end a list.
 * Source: https://opentelemetry.io/docs/specs/otel/configuration/data-model/#environment-variable-substitution
 */
export type Environment = Readonly<Record<string, string | undefined>>;

const REFERENCE = /\$\$|\$\{([^}\n]*)\}/g;
const NAME = /^(?:env:)?([A-Za-z_]\w*)(?::-(.*))?$/s;

export const hasVariables = (text: string): boolean => text.search(REFERENCE) !== -1;

/**
 * The text with variables in their places; an empty one counts as not set where there is a default.
 * @throws {Error} that continues the name of the option, when a variable is not set or a reference is none
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
        `the variable ${name} is not set; expected it in the environment, or a default as in \${${name}:-…}`,
      );
    return value;
  });
}

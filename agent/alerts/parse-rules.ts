/** All rules of a configuration: the built-in ones and the user's. */

import { builtinRules } from '../../config/builtin-rules.ts';
import type { RuleProblem } from '../../config/load.ts';
import type { Config } from '../../config/schema.ts';
import { parseRule } from './parse-rule.ts';
import { type Rule, RuleError } from './rule.ts';
import { mergeBuiltinRule } from './rule-override.ts';

type Definition = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Definition =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** An invalid rule is left out and reported; the others are compiled. */
export function parseRules(config: Config['alerts']): { rules: Rule[]; problems: RuleProblem[] } {
  const { enabled, enable, disable, rules: definitions } = config;
  if (!enabled) return { rules: [], problems: [] };
  const rules = new Map<string, Rule>();
  const problems: RuleProblem[] = [];
  const builtin = new Map(builtinRules.map((one) => [one.rule.name, one]));
  for (const { rule, optIn = false } of builtin.values())
    if (!disable.includes(rule.name) && (!optIn || enable.includes(rule.name)))
      rules.set(rule.name, parseRule(rule));
  const definedNames = new Set<string>();
  definitions.forEach((definition, index) => {
    const name = isObject(definition) && typeof definition.name === 'string' ? definition.name : '';
    try {
      if (name !== '' && definedNames.has(name))
        throw new RuleError(['name'], `${JSON.stringify(name)} is defined twice`);
      definedNames.add(name);
      const base = builtin.get(name)?.rule;
      const rule =
        base === undefined ? parseRule(definition) : mergeBuiltinRule(base, definition as Definition);
      if (!disable.includes(name)) rules.set(name, rule);
    } catch (error) {
      if (!(error instanceof RuleError)) throw error;
      const path = `alerts.rules[${index}]${name === '' ? '' : ` (${name})`}`;
      problems.push({ keys: [index, ...error.keys], message: `${path}: ${error.message}` });
    }
  });
  return { rules: [...rules.values()], problems };
}

/** All rules: the built-in ones and the user's, and what is wrong with those. */

import { builtinRules } from '../../config/builtin-rules.ts';
import type { RuleProblem } from '../../config/load.ts';
import type { Config } from '../../config/schema.ts';
import { compileRule, mergeBuiltinRule, type Rule, RuleError } from './rule.ts';

type Given = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Given =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** A rule that is left out does not take the others with it. */
export function compileRules({ enabled, enable, disable, rules: given }: Config['alerts']): {
  rules: Rule[];
  mistakes: RuleProblem[];
} {
  if (!enabled) return { rules: [], mistakes: [] };
  const rules = new Map<string, Rule>();
  const mistakes: RuleProblem[] = [];
  const builtin = new Map(builtinRules.map((one) => [one.rule.name, one]));
  for (const { rule, optIn = false } of builtin.values())
    if (!disable.includes(rule.name) && (!optIn || enable.includes(rule.name)))
      rules.set(rule.name, compileRule(rule));
  const own = new Set<string>();
  given.forEach((one, index) => {
    const name = isObject(one) && typeof one.name === 'string' ? one.name : '';
    try {
      if (name !== '' && own.has(name))
        throw new RuleError(['name'], `${JSON.stringify(name)} is there twice`);
      own.add(name);
      // What changes a built-in rule says only what is other in it.
      const base = builtin.get(name)?.rule;
      const rule = base === undefined ? compileRule(one) : mergeBuiltinRule(base, one as Given);
      if (!disable.includes(name)) rules.set(name, rule);
    } catch (error) {
      if (!(error instanceof RuleError)) throw error;
      const which = `alerts.rules[${index}]${name === '' ? '' : ` (${name})`}`;
      mistakes.push({ keys: [index, ...error.keys], message: `${which}: ${error.message}` });
    }
  });
  return { rules: [...rules.values()], mistakes };
}

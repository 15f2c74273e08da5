/**
 * Changes to rules: by a container's label `portlight.alert.<rule>`, and by a user's rule with a built-in
 * rule's name.
 */

import { parseDuration } from '../../config/duration.ts';
import type { RuleDefinition } from '../../config/rule-options.ts';
import { type Condition, describeThresholdFormat, parseCondition } from './condition.ts';
import { excludesCondition, parseRule } from './parse-rule.ts';
import type { MetricRule, Rule } from './rule.ts';

/** `>= 95% for 2m`, `95%`, `for 10m`, `off`. */
const OVERRIDE = /^\s*(.*?)\s*(?:\bfor\s+(\S+))?\s*$/;

/**
 * Applies a container's label to a rule.
 * @returns `off` where the label turns the rule off; undefined where the label is invalid
 */
export function applyLabelOverride(rule: Rule, label: string): Rule | 'off' | undefined {
  if (label.trim() === 'off') return 'off';
  const [, conditionText = '', durationText] = OVERRIDE.exec(label) ?? [];
  const forMs = durationText === undefined ? rule.forMs : parseDuration(durationText);
  const isEmpty = conditionText === '' && durationText === undefined;
  if (Number.isNaN(forMs) || isEmpty || rule.kind === 'event') return undefined;
  if (conditionText === '') return { ...rule, forMs };
  const condition = parseCondition(conditionText, rule.unit, rule.condition.operator);
  if (condition === undefined) return undefined;
  const { expression } = rule;
  return {
    ...rule,
    forMs,
    condition,
    resolve: scaleResolveCondition(rule, condition),
    expression: {
      ...expression,
      forecast: expression.forecast && { ...expression.forecast, ahead: condition.threshold * 1000 },
    },
  };
}

/** The format of a container's label for a rule. */
export function describeOverrideFormat(rule: Rule): string {
  if (rule.kind === 'event') return 'off';
  return `off, or ${describeThresholdFormat(rule.unit)}, optionally with an operator before it and "for 5m" after it`;
}

/** Keeps the hysteresis in proportion when the threshold of a rule changes. */
function scaleResolveCondition(
  { resolve, condition }: MetricRule,
  changed: Condition,
): Condition | undefined {
  if (resolve === undefined) return undefined;
  const threshold =
    condition.threshold === 0
      ? resolve.threshold + changed.threshold
      : (resolve.threshold * changed.threshold) / condition.threshold;
  const scaled = { ...resolve, threshold };
  // With an operator in the other direction, both conditions would be met at once.
  return excludesCondition(changed, scaled) ? scaled : undefined;
}

/** A built-in rule with a user's changes: keys that the user leaves out keep their value. */
export function mergeBuiltinRule(builtin: RuleDefinition, changes: Readonly<Record<string, unknown>>): Rule {
  const isThresholdChanged = changes.condition !== undefined || changes.forecast !== undefined;
  if (!isThresholdChanged || 'resolve' in changes) return parseRule({ ...builtin, ...changes });
  const rule = parseRule({ ...builtin, resolve: undefined, ...changes });
  const original = parseRule(builtin);
  if (rule.kind === 'event' || original.kind === 'event') return rule;
  return { ...rule, resolve: scaleResolveCondition(original, rule.condition) };
}

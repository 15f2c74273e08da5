/** A rule, from how it is written to what is evaluated. */

import * as v from 'valibot';
import type { CatalogueEntry } from '../../collectors/catalogue/entry.ts';
import { metrics } from '../../collectors/catalogue/index.ts';
import { matches } from '../../collectors/catalogue/selection.ts';
import type { Attributes } from '../../collectors/records/records.ts';
import { parseDuration } from '../../config/duration.ts';
import { findNearest, formatInvalidValue, formatSuggestion } from '../../config/invalid-value.ts';
import { optionMetadata } from '../../config/option.ts';
import {
  type AttributePatterns,
  type EventSelector,
  type ParsedRuleDefinition,
  type PreconditionDefinition,
  type RuleDefinition,
  ruleOptions,
  ruleSchema,
} from '../../config/rule-options.ts';
import type { AlertSeverity } from '../../config/severity.ts';
import { human, templateMistake } from '../../exporters/alerts/text.ts';
import { duration } from '../../exporters/console/format.ts';
import { type Condition, describeThresholdFormat, isMet, isUpward, parseCondition } from './condition.ts';
import { type Expression, expressionUnit, type MetricSelector, RECENT_HISTORY_MS } from './expression.ts';

interface BaseRule {
  readonly name: string;
  readonly severity: AlertSeverity;
  readonly labels: Readonly<Record<string, string>>;
  /** Mustache templates, as those of labels are. */
  readonly annotations: Readonly<Record<string, string>>;
  readonly containers: { readonly include: readonly string[]; readonly exclude: readonly string[] };
  readonly forMs: number;
  readonly keepMs: number;
}

/** Looks at figures, each round. */
export interface MetricRule extends BaseRule {
  readonly kind: 'metric';
  readonly expression: Expression;
  readonly unit: string;
  /** UCUM unit of what the value is a share of, or comes to. */
  readonly limitUnit: string;
  readonly condition: Condition;
  /** Ends it when it is met; undefined: when `condition` is not. */
  readonly resolve: Condition | undefined;
  readonly when: readonly Precondition[];
  /** None of these may hold. */
  readonly unless: readonly Precondition[];
  readonly isHostRule: boolean;
}

export interface Precondition {
  readonly expression: Expression;
  /** `absent`: holds where the container does not have it. */
  readonly condition: Condition | 'absent';
}

/** Looks at events, as they come. */
export interface EventRule extends BaseRule {
  readonly kind: 'event';
  /** What is shown with it. */
  readonly expression: Expression | undefined;
  matchesEvent(name: string, attributes: Attributes): boolean;
}

export type Rule = MetricRule | EventRule;

/** What is wrong with a rule. */
export class RuleError extends Error {
  /** Where: the keys below the rule's. */
  readonly keys: readonly (string | number)[];

  constructor(keys: readonly (string | number)[], message: string) {
    super(
      `${keys.map((key) => (typeof key === 'number' ? `[${key}]` : `.${key}`)).join('')}: ${message}`.replace(
        /^[.:]\s?/,
        '',
      ),
    );
    this.keys = keys;
  }
}

const DEFAULT_WINDOW_MS = 60_000;
const DEFAULT_TREND_MS = 600_000;
const DEFAULT_SEVERITY: AlertSeverity = 'warning';
/** How long an event is told of where the rule does not say. */
const DEFAULT_KEEP_MS = 300_000;

const known = new Map(
  metrics.filter(({ dialectOnly }) => !dialectOnly).map((row): [string, CatalogueEntry] => [row.name, row]),
);

/** Groups whose metrics are the host's or its daemon's. */
const OF_HOST = new Set(['host', 'daemon']);

function operandOf(
  name: string,
  attributes: AttributePatterns = {},
  keys: readonly (string | number)[],
): MetricSelector {
  const metric = known.get(name);
  if (metric === undefined)
    throw new RuleError(
      keys,
      `${JSON.stringify(name)} is not a metric; portlight metrics list has them${formatSuggestion(findNearest(name, known.keys()))}`,
    );
  const exact = Object.entries(attributes).map(([key, value]) => {
    if (typeof value !== 'string')
      throw new RuleError(
        [...keys.slice(0, -1), 'attributes', key],
        'a list is not allowed; expected one value',
      );
    return [key, value];
  });
  return { metric, attributes: Object.fromEntries(exact), isOfHost: OF_HOST.has(metric.group) };
}

function expressionOf(
  given: Partial<
    Pick<ParsedRuleDefinition, 'metric' | 'attributes' | 'over' | 'room' | 'window' | 'forecast'>
  >,
  keys: readonly (string | number)[],
): Expression {
  if (given.metric === undefined) throw new RuleError(keys, 'metric is missing; expected metric, or events');
  if (given.over !== undefined && given.room !== undefined)
    throw new RuleError([...keys, 'room'], 'is not allowed beside over');
  if (given.room !== undefined && given.forecast === undefined)
    throw new RuleError([...keys, 'room'], 'is not allowed without forecast');
  const metric = operandOf(given.metric, given.attributes, [...keys, 'metric']);
  const bound = given.over ?? given.room;
  const over =
    bound === undefined
      ? undefined
      : operandOf(bound, {}, [...keys, given.over === undefined ? 'room' : 'over']);
  if (metric.isOfHost && over?.isOfHost === false)
    throw new RuleError([...keys, 'over'], `${bound} is a container's, ${given.metric} is the host's`);
  if (over?.metric.kind === 'counter' && metric.metric.kind !== 'counter')
    throw new RuleError([...keys, 'over'], `${bound} is a counter, ${given.metric} is none`);
  if (given.window !== undefined && given.forecast === undefined) {
    if (metric.metric.kind !== 'counter')
      throw new RuleError(
        [...keys, 'window'],
        `is not allowed: ${given.metric} is no counter, whose change would be looked at`,
      );
    if (given.window > RECENT_HISTORY_MS)
      throw new RuleError([...keys, 'window'], 'is not allowed; expected 10m at most, but for a forecast');
  }
  if (given.forecast === undefined)
    return { metric, over, window: given.window ?? DEFAULT_WINDOW_MS, forecast: undefined };
  if (over === undefined)
    throw new RuleError([...keys, 'forecast'], 'needs over (what is reached) or room (what is left)');
  if (metric.metric.kind === 'counter')
    throw new RuleError([...keys, 'metric'], `${given.metric} is a counter, which only ever grows`);
  const kind = given.room === undefined ? 'level' : 'room';
  return {
    metric,
    over,
    window: given.window ?? DEFAULT_TREND_MS,
    forecast: { kind, share: 1, ahead: given.forecast },
  };
}

function conditionOf(text: string, unit: string, keys: readonly (string | number)[]): Condition {
  const condition = parseCondition(text, unit);
  if (condition !== undefined) return condition;
  throw new RuleError(
    keys,
    `${JSON.stringify(text)} is not allowed; expected an operator (>=, >, <=, <, ==, !=) and ${describeThresholdFormat(unit)}`,
  );
}

function whenOf(given: PreconditionDefinition, keys: readonly (string | number)[]): Precondition {
  if (given.absent !== undefined) {
    const metric = operandOf(given.absent, given.attributes, [...keys, 'absent']);
    return {
      expression: { metric, over: undefined, window: DEFAULT_WINDOW_MS, forecast: undefined },
      condition: 'absent',
    };
  }
  const expression = expressionOf(given, keys);
  if (given.condition === undefined) throw new RuleError(keys, 'condition is missing');
  return {
    expression,
    condition: conditionOf(given.condition, expressionUnit(expression), [...keys, 'condition']),
  };
}

const fits = (patterns: AttributePatterns, attributes: Attributes): boolean =>
  Object.entries(patterns).every(([key, allowed]) => {
    const value = attributes[key];
    return value !== undefined && [allowed].flat().some((pattern) => matches(pattern, String(value)));
  });

const isMeantBy =
  (events: readonly EventSelector[]): EventRule['matchesEvent'] =>
  (name, attributes) =>
    events.some((event) => matches(event.name, name) && fits(event.attributes ?? {}, attributes));

/** What does not go together with `events`. */
const OF_METRICS = ['room', 'condition', 'window', 'forecast', 'when', 'unless', 'resolve', 'for'] as const;

/** Whether whatever meets `resolve` does not meet the condition. */
function isOpposite(condition: Condition, resolve: Condition): boolean {
  const distance = condition.threshold - resolve.threshold;
  if (isUpward(condition.operator)) return resolve.operator.startsWith('<') && distance >= 0;
  if (condition.operator.startsWith('<')) return isUpward(resolve.operator) && distance <= 0;
  return !isMet(resolve, condition.threshold);
}

function compile(given: ParsedRuleDefinition): Rule {
  for (const key of ['annotations', 'labels'] as const) {
    for (const [name, text] of Object.entries(given[key] ?? {})) {
      const mistake = templateMistake(text);
      if (mistake !== undefined) throw new RuleError([key, name], mistake);
    }
  }
  const common: BaseRule = {
    name: given.name,
    severity: given.severity ?? DEFAULT_SEVERITY,
    labels: given.labels ?? {},
    annotations: given.annotations ?? {},
    containers: { include: given.containers?.include ?? [], exclude: given.containers?.exclude ?? [] },
    forMs: given.for ?? 0,
    keepMs: given.keep_firing_for ?? 0,
  };
  if (given.events !== undefined) {
    const other = OF_METRICS.find((key) => given[key] !== undefined);
    if (other !== undefined) throw new RuleError([other], 'is not allowed beside events');
    const keepMs = given.keep_firing_for ?? DEFAULT_KEEP_MS;
    const shown = given.metric === undefined ? undefined : expressionOf(given, []);
    return { ...common, kind: 'event', keepMs, expression: shown, matchesEvent: isMeantBy(given.events) };
  }
  const expression = expressionOf(given, []);
  const unit = expressionUnit(expression);
  let condition: Condition;
  if (expression.forecast === undefined) {
    if (given.condition === undefined)
      throw new RuleError(
        [],
        `condition is missing; expected an operator and ${describeThresholdFormat(unit)}`,
      );
    condition = conditionOf(given.condition, unit, ['condition']);
  } else {
    if (given.condition !== undefined)
      throw new RuleError(['condition'], 'is not allowed beside forecast, which says within what time');
    condition = { operator: '<=', threshold: expression.forecast.ahead / 1000 };
  }
  const resolve = given.resolve === undefined ? undefined : conditionOf(given.resolve, unit, ['resolve']);
  if (resolve !== undefined && !isOpposite(condition, resolve))
    throw new RuleError(
      ['resolve'],
      `${JSON.stringify(given.resolve)} is not allowed; expected the opposite of the condition, or what lies beyond that`,
    );
  return {
    ...common,
    kind: 'metric',
    expression,
    unit,
    limitUnit: expression.over?.metric.unit ?? '',
    condition,
    resolve,
    when: (given.when ?? []).map((one, index) => whenOf(one, ['when', index])),
    unless: (given.unless ?? []).map((one, index) => whenOf(one, ['unless', index])),
    isHostRule: expression.metric.isOfHost,
  };
}

/**
 * @param given a rule as it is written
 * @throws {RuleError} when it is none
 */
export function compileRule(given: unknown): Rule {
  const read = v.safeParse(ruleSchema, given);
  if (read.success) return compile(read.output);
  const keys = read.issues[0].path?.map(({ key }) => key as string | number) ?? [];
  const [key = ''] = keys;
  if (typeof given !== 'object' || given === null)
    throw new RuleError([], `${JSON.stringify(given)} is not a rule; expected name, metric and condition`);
  if (!Object.hasOwn(ruleOptions, key))
    throw new RuleError(
      [key],
      `is not a known key${formatSuggestion(findNearest(String(key), Object.keys(ruleOptions)))}`,
    );
  const facts = optionMetadata(ruleOptions[key as keyof typeof ruleOptions] as v.GenericSchema);
  const value = (given as Record<string, unknown>)[key];
  throw new RuleError(
    [key],
    value === undefined ? `is missing; expected ${facts.allowed}` : formatInvalidValue(value, facts),
  );
}

/** `>= 95% for 2m`, `95%`, `for 10m`, `off`. */
const OVERRIDE = /^\s*(.*?)\s*(?:\bfor\s+(\S+))?\s*$/;

/**
 * A rule as one container's label wants it.
 * @returns `off` where it is not wanted; undefined where the text is not understood
 */
export function applyLabelOverride(rule: Rule, text: string): Rule | 'off' | undefined {
  if (text.trim() === 'off') return 'off';
  const [, wanted = '', duration] = OVERRIDE.exec(text) ?? [];
  const forMs = duration === undefined ? rule.forMs : parseDuration(duration);
  if (Number.isNaN(forMs) || (wanted === '' && duration === undefined) || rule.kind === 'event')
    return undefined;
  if (wanted === '') return { ...rule, forMs };
  const condition = parseCondition(wanted, rule.unit, rule.condition.operator);
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

/** With another threshold, what lies between the two goes with them. */
function scaleResolveCondition({ resolve, condition }: MetricRule, moved: Condition): Condition | undefined {
  if (resolve === undefined) return undefined;
  const threshold =
    condition.threshold === 0
      ? resolve.threshold + moved.threshold
      : (resolve.threshold * moved.threshold) / condition.threshold;
  const own = { ...resolve, threshold };
  // In the other direction it would be met when it fires.
  return isOpposite(moved, own) ? own : undefined;
}

/** A built-in rule as the user changes it; of what is not said, it is as it was. */
export function mergeBuiltinRule(base: RuleDefinition, given: Readonly<Record<string, unknown>>): Rule {
  const isMoved = given.condition !== undefined || given.forecast !== undefined;
  if (!isMoved || 'resolve' in given) return compileRule({ ...base, ...given });
  const rule = compileRule({ ...base, resolve: undefined, ...given });
  const before = compileRule(base);
  if (rule.kind === 'event' || before.kind === 'event') return rule;
  return { ...rule, resolve: scaleResolveCondition(before, rule.condition) };
}

/** What a container's label can say of a rule. */
export function describeOverrideFormat(rule: Rule): string {
  if (rule.kind === 'event') return 'off';
  return `off, or ${describeThresholdFormat(rule.unit)}, with an operator before it and "for 5m" behind it where wanted`;
}

/** When a rule fires, in few words. */
export function describeRule(rule: Rule): string {
  if (rule.kind === 'event') return 'an event';
  const { expression, condition, unit, forMs } = rule;
  const { metric, over, forecast, window } = expression;
  const held = forMs === 0 ? '' : ` for ${duration(forMs / 1000)}`;
  const bound = over?.metric.name;
  if (forecast !== undefined) {
    const verb = forecast.kind === 'level' ? 'will reach' : 'will use up';
    const trend = `by the trend of ${duration(window / 1000)}`;
    return `${metric.metric.name} ${verb} ${bound} within ${duration(forecast.ahead / 1000)} ${trend}${held}`;
  }
  const attributes = Object.entries(metric.attributes).map(([key, value]) => `${key}=${value}`);
  const points = attributes.length === 0 ? '' : `{${attributes.join(', ')}}`;
  const share = bound === undefined ? '' : ` / ${bound}`;
  const seen = metric.metric.kind === 'counter' ? ` over ${duration(window / 1000)}` : '';
  const compared = `${condition.operator} ${human(condition.threshold, unit)}`;
  return `${metric.metric.name}${points}${share}${seen} ${compared}${held}`;
}

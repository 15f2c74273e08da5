/** Turns the definition of an alert rule, as users write it, into the rule that the engine evaluates. */

import * as v from 'valibot';
import type { CatalogueEntry } from '../../collectors/catalogue/entry.ts';
import { metrics } from '../../collectors/catalogue/index.ts';
import { compileContainerFilter } from '../../collectors/shared/container-filter.ts';
import { compileWildcards } from '../../collectors/shared/wildcard.ts';
import { findNearest, formatInvalidValue, formatSuggestion } from '../../config/invalid-value.ts';
import { optionMetadata } from '../../config/option.ts';
import {
  type AttributePatterns,
  type EventSelector,
  type ParsedRuleDefinition,
  type PreconditionDefinition,
  ruleOptions,
  ruleSchema,
} from '../../config/rule-options.ts';
import type { AlertSeverity } from '../../config/severity.ts';
import { findTemplateMistake } from '../../exporters/alerts/text.ts';
import { type Condition, describeThresholdFormat, isMet, isUpward, parseCondition } from './condition.ts';
import { type Expression, expressionUnit, type MetricSelector, RECENT_HISTORY_MS } from './expression.ts';
import { type EventRule, type Keys, type Precondition, type Rule, RuleError } from './rule.ts';

const DEFAULT_WINDOW_MS = 60_000;
const DEFAULT_TREND_WINDOW_MS = 600_000;
const DEFAULT_SEVERITY: AlertSeverity = 'warning';
/** How long an event rule keeps firing where `keep_firing_for` is not set. */
const DEFAULT_EVENT_KEEP_MS = 300_000;

const knownMetrics = new Map(
  metrics.filter(({ dialectOnly }) => !dialectOnly).map((row): [string, CatalogueEntry] => [row.name, row]),
);

/** Groups whose metrics are about the host or its daemon. */
const HOST_GROUPS = new Set(['host', 'daemon']);

function parseSelector(name: string, attributes: AttributePatterns = {}, keys: Keys): MetricSelector {
  const metric = knownMetrics.get(name);
  if (metric === undefined) {
    const suggestion = formatSuggestion(findNearest(name, knownMetrics.keys()));
    throw new RuleError(
      keys,
      `${JSON.stringify(name)} is not a known metric (see portlight metrics list)${suggestion}`,
    );
  }
  const exact = Object.entries(attributes).map(([key, value]) => {
    if (typeof value !== 'string')
      throw new RuleError(
        [...keys.slice(0, -1), 'attributes', key],
        'a list is not allowed; expected one value',
      );
    return [key, value];
  });
  return { metric, attributes: Object.fromEntries(exact), isOfHost: HOST_GROUPS.has(metric.group) };
}

type ExpressionDefinition = Partial<
  Pick<ParsedRuleDefinition, 'metric' | 'attributes' | 'over' | 'room' | 'window' | 'forecast'>
>;

/** @param keys of the definition within the rule's */
function parseExpression(definition: ExpressionDefinition, keys: Keys): Expression {
  const { metric: name, attributes, over: limit, room, window, forecast } = definition;
  if (name === undefined) throw new RuleError(keys, 'requires metric or events');
  if (limit !== undefined && room !== undefined)
    throw new RuleError([...keys, 'room'], 'cannot be combined with over');
  if (room !== undefined && forecast === undefined)
    throw new RuleError([...keys, 'room'], 'requires forecast');
  const metric = parseSelector(name, attributes, [...keys, 'metric']);
  const bound = limit ?? room;
  const boundKeys = [...keys, limit === undefined ? 'room' : 'over'];
  const over = bound === undefined ? undefined : parseSelector(bound, {}, boundKeys);
  if (metric.isOfHost && over?.isOfHost === false)
    throw new RuleError([...keys, 'over'], `${bound} is a container metric, but ${name} is a host metric`);
  const isCounter = metric.metric.kind === 'counter';
  if (over?.metric.kind === 'counter' && !isCounter)
    throw new RuleError([...keys, 'over'], `${bound} is a counter, but ${name} is not`);
  if (forecast === undefined) {
    if (window !== undefined && !isCounter)
      throw new RuleError([...keys, 'window'], `is for counters and forecasts; ${name} is not a counter`);
    if (window !== undefined && window > RECENT_HISTORY_MS)
      throw new RuleError([...keys, 'window'], 'is limited to 10m, except with forecast');
    return { metric, over, window: window ?? DEFAULT_WINDOW_MS, forecast: undefined };
  }
  if (over === undefined)
    throw new RuleError([...keys, 'forecast'], 'requires over (the limit) or room (the space that is left)');
  if (isCounter)
    throw new RuleError([...keys, 'metric'], `${name} is a counter; a forecast requires another kind`);
  return {
    metric,
    over,
    window: window ?? DEFAULT_TREND_WINDOW_MS,
    forecast: { kind: room === undefined ? 'level' : 'room', share: 1, ahead: forecast },
  };
}

function requireCondition(text: string, unit: string, keys: Keys): Condition {
  const condition = parseCondition(text, unit);
  if (condition !== undefined) return condition;
  throw new RuleError(
    keys,
    `${JSON.stringify(text)} is not allowed; expected an operator (>=, >, <=, <, ==, !=) and ${describeThresholdFormat(unit)}`,
  );
}

function parsePrecondition(definition: PreconditionDefinition, keys: Keys): Precondition {
  if (definition.absent !== undefined) {
    const metric = parseSelector(definition.absent, definition.attributes, [...keys, 'absent']);
    return {
      expression: { metric, over: undefined, window: DEFAULT_WINDOW_MS, forecast: undefined },
      condition: 'absent',
    };
  }
  const expression = parseExpression(definition, keys);
  if (definition.condition === undefined) throw new RuleError(keys, 'requires condition');
  const condition = requireCondition(definition.condition, expressionUnit(expression), [
    ...keys,
    'condition',
  ]);
  return { expression, condition };
}

function compileEventMatcher(events: readonly EventSelector[]): EventRule['matchesEvent'] {
  const matchers = events.map(({ name, attributes = {} }) => ({
    matchesName: compileWildcards(name),
    attributes: Object.entries(attributes).map(
      ([key, patterns]) => [key, compileWildcards(...[patterns].flat())] as const,
    ),
  }));
  return (name, attributes) =>
    matchers.some(
      (matcher) =>
        matcher.matchesName(name) &&
        matcher.attributes.every(([key, matchesValue]) => {
          const value = attributes[key];
          return value !== undefined && matchesValue(String(value));
        }),
    );
}

/** Keys of metric rules, which cannot be combined with `events`. */
const METRIC_RULE_KEYS = [
  'room',
  'condition',
  'window',
  'forecast',
  'when',
  'unless',
  'resolve',
  'for',
] as const;

/** Whether no value can meet both the condition and `resolve`. */
export function excludesCondition(condition: Condition, resolve: Condition): boolean {
  const distance = condition.threshold - resolve.threshold;
  if (isUpward(condition.operator)) return resolve.operator.startsWith('<') && distance >= 0;
  if (condition.operator.startsWith('<')) return isUpward(resolve.operator) && distance <= 0;
  return !isMet(resolve, condition.threshold);
}

function checkTemplates(definition: ParsedRuleDefinition): void {
  for (const key of ['annotations', 'labels'] as const) {
    for (const [name, template] of Object.entries(definition[key] ?? {})) {
      const problem = findTemplateMistake(template);
      if (problem !== undefined) throw new RuleError([key, name], problem);
    }
  }
}

function parseRuleCondition(
  definition: ParsedRuleDefinition,
  { forecast }: Expression,
  unit: string,
): Condition {
  const { condition } = definition;
  if (forecast !== undefined) {
    if (condition !== undefined)
      throw new RuleError(['condition'], 'cannot be combined with forecast, which is a condition itself');
    return { operator: '<=', threshold: forecast.ahead / 1000 };
  }
  if (condition === undefined)
    throw new RuleError([], `requires condition: an operator and ${describeThresholdFormat(unit)}`);
  return requireCondition(condition, unit, ['condition']);
}

function convert(definition: ParsedRuleDefinition): Rule {
  checkTemplates(definition);
  const { containers, events } = definition;
  const base = {
    name: definition.name,
    severity: definition.severity ?? DEFAULT_SEVERITY,
    labels: definition.labels ?? {},
    annotations: definition.annotations ?? {},
    selectsContainer: compileContainerFilter(containers?.include ?? [], containers?.exclude ?? []),
    forMs: definition.for ?? 0,
    keepMs: definition.keep_firing_for ?? 0,
  };
  if (events !== undefined) {
    const metricKey = METRIC_RULE_KEYS.find((key) => definition[key] !== undefined);
    if (metricKey !== undefined) throw new RuleError([metricKey], 'cannot be combined with events');
    return {
      ...base,
      kind: 'event',
      keepMs: definition.keep_firing_for ?? DEFAULT_EVENT_KEEP_MS,
      expression: definition.metric === undefined ? undefined : parseExpression(definition, []),
      matchesEvent: compileEventMatcher(events),
    };
  }
  const expression = parseExpression(definition, []);
  const unit = expressionUnit(expression);
  const condition = parseRuleCondition(definition, expression, unit);
  const resolve =
    definition.resolve === undefined ? undefined : requireCondition(definition.resolve, unit, ['resolve']);
  if (resolve !== undefined && !excludesCondition(condition, resolve))
    throw new RuleError(
      ['resolve'],
      `${JSON.stringify(definition.resolve)} is not allowed; expected the opposite of the condition, with the same or a further threshold`,
    );
  const preconditions = (key: 'when' | 'unless') =>
    (definition[key] ?? []).map((one, index) => parsePrecondition(one, [key, index]));
  return {
    ...base,
    kind: 'metric',
    expression,
    unit,
    condition,
    resolve,
    when: preconditions('when'),
    unless: preconditions('unless'),
    isHostRule: expression.metric.isOfHost,
  };
}

/**
 * @param definition as it is in the configuration
 * @throws {RuleError} when the definition is invalid
 */
export function parseRule(definition: unknown): Rule {
  const parsed = v.safeParse(ruleSchema, definition);
  if (parsed.success) return convert(parsed.output);
  if (typeof definition !== 'object' || definition === null)
    throw new RuleError(
      [],
      `${JSON.stringify(definition)} is not a rule; expected name, metric and condition`,
    );
  const keys = parsed.issues[0].path?.map(({ key }) => key as string | number) ?? [];
  const [key = ''] = keys;
  if (!Object.hasOwn(ruleOptions, key))
    throw new RuleError(
      [key],
      `is not a known key${formatSuggestion(findNearest(String(key), Object.keys(ruleOptions)))}`,
    );
  const metadata = optionMetadata(ruleOptions[key as keyof typeof ruleOptions] as v.GenericSchema);
  const value = (definition as Record<string, unknown>)[key];
  throw new RuleError(
    [key],
    value === undefined ? `is required; expected ${metadata.allowed}` : formatInvalidValue(value, metadata),
  );
}

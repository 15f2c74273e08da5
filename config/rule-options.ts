/** Options of an alert rule. */

import * as v from 'valibot';
import { selectable } from '../collectors/catalogue/selection.ts';
import {
  CONTAINER_SELECTORS,
  durationBetween,
  isContainerSelector,
  type Leaf,
  oneOf,
  option,
  optional,
  optionalText,
  textList,
} from './option.ts';
import { alertSeverities } from './severity.ts';

/** By attribute, the allowed values, with * as wildcard. */
export type AttributePatterns = Readonly<Record<string, string | readonly string[]>>;

export interface EventSelector {
  /** With * as wildcard. */
  readonly name: string;
  readonly attributes?: AttributePatterns | undefined;
}

/** A metric that has to meet a condition, or a metric (`absent`) that the container must not have. */
export interface PreconditionDefinition {
  readonly metric?: string | undefined;
  readonly attributes?: AttributePatterns | undefined;
  readonly over?: string | undefined;
  readonly condition?: string | undefined;
  readonly absent?: string | undefined;
}

/** A rule as users write it. */
export interface RuleDefinition extends Omit<PreconditionDefinition, 'absent'> {
  readonly name: string;
  readonly window?: string | undefined;
  readonly forecast?: string | undefined;
  readonly room?: string | undefined;
  readonly events?: readonly EventSelector[] | undefined;
  readonly when?: readonly PreconditionDefinition[] | undefined;
  readonly unless?: readonly PreconditionDefinition[] | undefined;
  readonly for?: string | undefined;
  readonly resolve?: string | undefined;
  readonly keep_firing_for?: string | undefined;
  readonly severity?: string | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
  readonly containers?:
    | { readonly include?: readonly string[]; readonly exclude?: readonly string[] }
    | undefined;
}

const DAY_MS = 24 * 3_600_000;
const LABEL = /^[a-zA-Z_]\w*$/;

const METRIC = { allowed: 'the name of a metric (see portlight metrics list)', choices: selectable };
const CONDITION = 'an operator (>=, >, <=, <, ==, !=) and a value, such as ">= 90%"';
const TEMPLATES = 'names of letters, digits and _, each with a text';

const attributes = v.record(v.string(), v.union([v.string(), v.array(v.string())]));
const preconditions = v.array(
  v.strictObject({
    metric: v.optional(v.string()),
    attributes: v.optional(attributes),
    over: v.optional(v.string()),
    condition: v.optional(v.string()),
    absent: v.optional(v.string()),
  }),
) as Leaf<PreconditionDefinition[]>;
const PRECONDITIONS = { allowed: 'a list, each with metric, over and condition, or with absent: a metric' };
const templates = v.record(v.pipe(v.string(), v.regex(LABEL)), v.string()) as Leaf<Record<string, string>>;
const containerSelectors = optional(textList(isContainerSelector));

export const ruleOptions = {
  name: option(
    'Name of the rule. The name of a built-in rule changes that rule',
    { allowed: 'letters, digits and _' },
    v.pipe(v.string(), v.regex(/^\w+$/)) as Leaf<string>,
  ),
  metric: option('Metric to evaluate; of an event rule, the metric to show', METRIC, optionalText),
  attributes: option(
    'Select points of the metric by their attributes; by default all points are added up',
    { allowed: 'attributes and their values' },
    optional(attributes as Leaf<AttributePatterns>),
  ),
  over: option('Metric to divide by, such as the limit; the value is then a ratio', METRIC, optionalText),
  condition: option('Condition on the value', { allowed: CONDITION }, optionalText),
  window: option(
    'Time range of the rate of a counter (1m by default), or of the trend of a forecast (10m by default)',
    { allowed: 'a duration between 10s and 24h with its unit, such as 1m' },
    optional(durationBetween(10_000, DAY_MS)),
  ),
  forecast: option(
    'Instead of condition: the metric will reach over within this time if its trend continues',
    { allowed: 'a duration between 1m and 24h with its unit, such as 15m' },
    optional(durationBetween(60_000, DAY_MS)),
  ),
  room: option('For a forecast, instead of over: metric of the space that is left', METRIC, optionalText),
  events: option(
    'Instead of a condition: events that fire the rule',
    { allowed: 'a list, each with name (* as wildcard) and optional attributes' },
    optional(
      v.array(v.strictObject({ name: v.string(), attributes: v.optional(attributes) })) as Leaf<
        EventSelector[]
      >,
    ),
  ),
  when: option('Further conditions, all of which have to be met', PRECONDITIONS, optional(preconditions)),
  unless: option('Further conditions, none of which may be met', PRECONDITIONS, optional(preconditions)),
  for: option(
    'How long the condition has to be met before the alert fires (0s by default)',
    { allowed: 'a duration between 0s and 24h with its unit, such as 5m' },
    optional(durationBetween(0, DAY_MS)),
  ),
  resolve: option(
    'Condition that resolves the alert; by default the alert resolves as soon as its condition is not met',
    { allowed: CONDITION },
    optionalText,
  ),
  keep_firing_for: option(
    'How long the alert keeps firing once its condition is not met (0s by default); of an event rule, after the last event (5m by default)',
    { allowed: 'a duration between 0s and 24h with its unit, such as 5m' },
    optional(durationBetween(0, DAY_MS)),
  ),
  severity: option(
    'Severity (warning by default)',
    { allowed: `one of ${alertSeverities.join(', ')}`, values: alertSeverities },
    optional(oneOf(alertSeverities)),
  ),
  labels: option('Labels for routing; templates', { allowed: TEMPLATES }, optional(templates)),
  annotations: option(
    'Texts for people; templates with {{container.name}}, {{value}}, {{limit}} and so on',
    { allowed: TEMPLATES },
    optional(templates),
  ),
  containers: option(
    'Containers that the rule applies to; all by default',
    { allowed: `include and exclude, each ${CONTAINER_SELECTORS}` },
    v.optional(v.strictObject({ include: containerSelectors, exclude: containerSelectors })) as Leaf<
      { include?: string[]; exclude?: string[] } | undefined
    >,
  ),
};

export const ruleSchema = v.strictObject(ruleOptions);
export type ParsedRuleDefinition = v.InferOutput<typeof ruleSchema>;

/** What can be said of one alert rule. */

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

/** Attributes, and the text or texts, with * as wildcard, that each has to be. */
export type AttributePatterns = Readonly<Record<string, string | readonly string[]>>;

export interface EventSelector {
  /** With * as wildcard. */
  readonly name: string;
  readonly attributes?: AttributePatterns | undefined;
}

/** What else has to hold: a metric that meets a condition, or one that the container does not have. */
export interface PreconditionDefinition {
  readonly metric?: string | undefined;
  readonly attributes?: AttributePatterns | undefined;
  readonly over?: string | undefined;
  readonly condition?: string | undefined;
  readonly absent?: string | undefined;
}

/** A rule as it is written. */
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

const METRIC = { allowed: 'the name of a metric; portlight metrics list has them', choices: selectable };
const CONDITION = 'an operator (>=, >, <=, <, ==, !=) and a value, such as ">= 90%"';
const NAMED = 'names of letters, digits and _, and their texts';

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
const WHEN = { allowed: 'a list, each with metric, over and condition, or with absent: a metric' };
const named = v.record(v.pipe(v.string(), v.regex(LABEL)), v.string()) as Leaf<Record<string, string>>;
const listOfContainers = optional(textList(isContainerSelector));

export const ruleOptions = {
  name: option(
    'Its name; that of a built-in rule changes that rule',
    { allowed: 'letters, digits and _' },
    v.pipe(v.string(), v.regex(/^\w+$/)) as Leaf<string>,
  ),
  metric: option('What is looked at; of an event, what is shown with it', METRIC, optionalText),
  attributes: option(
    'Which of its points are meant, by their attributes; all of them together by default',
    { allowed: 'attributes and their values' },
    optional(attributes as Leaf<AttributePatterns>),
  ),
  over: option('What it is taken as a share of, such as its limit', METRIC, optionalText),
  condition: option('What it is compared with', { allowed: CONDITION }, optionalText),
  window: option(
    'How far back the change of a counter, or a trend, is looked at',
    { allowed: 'a duration between 10s and 24h with its unit, such as 1m' },
    optional(durationBetween(10_000, DAY_MS)),
  ),
  forecast: option(
    'Holds when the metric will reach what it is taken as a share of within this time, by its trend',
    { allowed: 'a duration between 1m and 24h with its unit, such as 15m' },
    optional(durationBetween(60_000, DAY_MS)),
  ),
  room: option('Of a forecast, instead of over: what is left until it is full', METRIC, optionalText),
  events: option(
    'Holds when one of these events is told',
    { allowed: 'a list, each with name (* as wildcard) and, where wanted, attributes' },
    optional(
      v.array(v.strictObject({ name: v.string(), attributes: v.optional(attributes) })) as Leaf<
        EventSelector[]
      >,
    ),
  ),
  when: option('What else has to hold', WHEN, optional(preconditions)),
  unless: option('What must not hold, none of it', WHEN, optional(preconditions)),
  for: option(
    'How long it has to hold before it fires',
    { allowed: 'a duration between 0s and 24h with its unit, such as 5m' },
    optional(durationBetween(0, DAY_MS)),
  ),
  resolve: option(
    'What has to be met for it to end; by default that the condition is met no more',
    { allowed: CONDITION },
    optionalText,
  ),
  keep_firing_for: option(
    'How long it goes on firing when it holds no more; of an event, after the last one',
    { allowed: 'a duration between 0s and 24h with its unit, such as 5m' },
    optional(durationBetween(0, DAY_MS)),
  ),
  severity: option(
    'How bad it is',
    { allowed: `one of ${alertSeverities.join(', ')}`, values: alertSeverities },
    optional(oneOf(alertSeverities)),
  ),
  labels: option(
    'Labels that it is routed by; as texts, they are filled in',
    { allowed: NAMED },
    optional(named),
  ),
  annotations: option(
    'Texts for a person, in which {{container.name}}, {{value}}, {{limit}} and the like are filled in',
    { allowed: NAMED },
    optional(named),
  ),
  containers: option(
    'Containers that it is for; all by default',
    { allowed: `include and exclude, each ${CONTAINER_SELECTORS}` },
    v.optional(v.strictObject({ include: listOfContainers, exclude: listOfContainers })) as Leaf<
      { include?: string[]; exclude?: string[] } | undefined
    >,
  ),
};

export const ruleSchema = v.strictObject(ruleOptions);
export type ParsedRuleDefinition = v.InferOutput<typeof ruleSchema>;

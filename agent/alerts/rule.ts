/** Alert rules as the engine evaluates them. */

import type { Attributes } from '../../collectors/records/records.ts';
import type { ContainerFilter } from '../../collectors/shared/container-filter.ts';
import type { AlertSeverity } from '../../config/severity.ts';
import type { Condition } from './condition.ts';
import type { Expression } from './expression.ts';

interface BaseRule {
  readonly name: string;
  readonly severity: AlertSeverity;
  /** Mustache templates. */
  readonly labels: Readonly<Record<string, string>>;
  /** Mustache templates. */
  readonly annotations: Readonly<Record<string, string>>;
  /** Whether the rule's `containers` select a container. */
  readonly selectsContainer: ContainerFilter;
  /** How long the condition has to be met before the alert fires, ms. */
  readonly forMs: number;
  /** How long the alert keeps firing once its condition is no longer met, ms. */
  readonly keepMs: number;
}

/** Compares metrics with a threshold, in each round. */
export interface MetricRule extends BaseRule {
  readonly kind: 'metric';
  readonly expression: Expression;
  /** UCUM unit of the expression's value. */
  readonly unit: string;
  readonly condition: Condition;
  /** Resolves the alert once met; undefined: the alert resolves once `condition` is not met. */
  readonly resolve: Condition | undefined;
  /** All of these have to be met. */
  readonly when: readonly Precondition[];
  /** None of these may be met. */
  readonly unless: readonly Precondition[];
  /** Whether the rule is about the host instead of a container. */
  readonly isHostRule: boolean;
}

export interface Precondition {
  readonly expression: Expression;
  /** `absent`: met where the metric does not exist. */
  readonly condition: Condition | 'absent';
}

/** Fires at events. */
export interface EventRule extends BaseRule {
  readonly kind: 'event';
  /** Shown as the alert's series; undefined: none. */
  readonly expression: Expression | undefined;
  matchesEvent(name: string, attributes: Attributes): boolean;
}

export type Rule = MetricRule | EventRule;

export type Keys = readonly (string | number)[];

/** `['when', 0, 'metric']` → `when[0].metric` */
const formatKeys = (keys: Keys): string =>
  keys.map((key, index) => (typeof key === 'number' ? `[${key}]` : index === 0 ? key : `.${key}`)).join('');

/** An invalid rule definition. */
export class RuleError extends Error {
  /** Where in the definition. */
  readonly keys: Keys;

  constructor(keys: Keys, message: string) {
    super(keys.length === 0 ? message : `${formatKeys(keys)}: ${message}`);
    this.keys = keys;
  }
}

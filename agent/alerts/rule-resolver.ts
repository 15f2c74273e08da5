/** Which rules apply to which container: by the rules' `containers`, and by the container's labels. */

import type { Container, Subject } from '../../collectors/records/records.ts';
import { builtinRules } from '../../config/builtin-rules.ts';
import { isMet } from './condition.ts';
import {
  type CompiledExpression,
  compileExpression,
  type SampleViews,
  type SelectorSets,
} from './expression.ts';
import type { EventRule, MetricRule, Precondition, Rule } from './rule.ts';
import { applyLabelOverride, describeOverrideFormat } from './rule-override.ts';
import type { SampleHistory, SampleLayout } from './sample-history.ts';
import { SelectorSet } from './selectors.ts';

const LABEL_PREFIX = 'portlight.alert.';

const builtinNames = new Set(builtinRules.map(({ rule }) => rule.name));

/** A metric rule with the expressions that compute its values. */
export interface CompiledRule {
  readonly rule: MetricRule;
  readonly expression: CompiledExpression;
  readonly when: readonly CompiledPrecondition[];
  readonly unless: readonly CompiledPrecondition[];
}

interface CompiledPrecondition {
  readonly expression: CompiledExpression;
  readonly condition: Precondition['condition'];
}

/** The rules of one container, and what they were derived from. */
interface ContainerRules {
  readonly labels: Container['labels'];
  readonly name: string;
  readonly rules: readonly CompiledRule[];
}

export class RuleResolver {
  readonly selectors: SelectorSets = { container: new SelectorSet(), host: new SelectorSet() };
  readonly layout: Readonly<Record<keyof SelectorSets, SampleLayout>>;
  /** All metric rules, without the changes by labels. */
  readonly metricRules: readonly CompiledRule[];
  readonly eventRules: readonly EventRule[];
  /** What is shown as the series of an event rule's alert. */
  readonly eventExpressions = new Map<EventRule, CompiledExpression>();
  private readonly rules: readonly Rule[];
  private readonly interval: number;
  private readonly warn: (message: string) => void;
  private readonly cache = new WeakMap<SampleHistory, ContainerRules>();

  /**
   * @param interval from one round to the next, ms
   * @param warn reports an invalid label of a container
   */
  constructor(rules: readonly Rule[], interval: number, warn: (message: string) => void) {
    this.rules = rules;
    this.interval = interval;
    this.warn = warn;
    this.metricRules = rules.filter((rule) => rule.kind === 'metric').map((rule) => this.compile(rule));
    this.eventRules = rules.filter((rule) => rule.kind === 'event');
    for (const rule of this.eventRules)
      if (rule.expression !== undefined)
        this.eventExpressions.set(rule, compileExpression(rule.expression, this.selectors));
    this.layout = { container: this.createLayout('container'), host: this.createLayout('host') };
  }

  /** Computed again when the container's name or labels change. */
  rulesFor(history: SampleHistory, { name, image, labels }: Container): readonly CompiledRule[] {
    const cached = this.cache.get(history);
    if (cached !== undefined && cached.labels === labels && cached.name === name) return cached.rules;
    this.reportInvalidLabels(name, labels);
    const rules = this.metricRules.flatMap((compiled) => {
      const { rule } = compiled;
      if (rule.isHostRule || !this.appliesTo(rule, { name, image, labels })) return [];
      const label = labels[LABEL_PREFIX + rule.name];
      const changed = label === undefined ? rule : applyLabelOverride(rule, label);
      return changed === rule || changed === undefined || changed === 'off' || changed.kind === 'event'
        ? [compiled]
        : [this.compile(changed)];
    });
    this.cache.set(history, { labels, name, rules });
    return rules;
  }

  appliesTo({ name, selectsContainer }: Rule, subject: Subject): boolean {
    return subject.labels[LABEL_PREFIX + name]?.trim() !== 'off' && selectsContainer(subject);
  }

  private reportInvalidLabels(container: string, labels: Container['labels']): void {
    if (this.rules.length === 0) return;
    for (const [label, text] of Object.entries(labels)) {
      if (!label.startsWith(LABEL_PREFIX)) continue;
      const problem = this.findLabelProblem(label.slice(LABEL_PREFIX.length), text);
      if (problem !== undefined) this.warn(`container ${container}: label ${label}: ${problem}`);
    }
  }

  private findLabelProblem(name: string, text: string): string | undefined {
    const rule = this.rules.find((one) => one.name === name);
    if (rule === undefined) {
      // The rule exists, but is off.
      if (builtinNames.has(name)) return undefined;
      const names = new Set([...this.rules.map((one) => one.name), ...builtinNames]);
      return `there is no such rule; expected one of ${[...names].join(', ')}`;
    }
    if (applyLabelOverride(rule, text) !== undefined) return undefined;
    return `${JSON.stringify(text)} is not allowed; expected ${describeOverrideFormat(rule)}`;
  }

  private compile(rule: MetricRule): CompiledRule {
    const compilePrecondition = ({ expression, condition }: Precondition): CompiledPrecondition => ({
      expression: compileExpression(expression, this.selectors),
      condition,
    });
    return {
      rule,
      expression: compileExpression(rule.expression, this.selectors),
      when: rule.when.map(compilePrecondition),
      unless: rule.unless.map(compilePrecondition),
    };
  }

  private createLayout(side: keyof SelectorSets): SampleLayout {
    const trends = this.metricRules.flatMap(({ rule: { expression } }) => {
      const { metric, attributes, isOfHost } = expression.metric;
      if (expression.forecast === undefined || isOfHost !== (side === 'host')) return [];
      const selector = this.selectors[side].register(metric, attributes);
      return [{ selector, window: expression.window }];
    });
    return { selectors: this.selectors[side], interval: this.interval, trends };
  }
}

/** Whether all conditions in a rule's `when` are met, and none in `unless`. */
export const arePreconditionsMet = ({ when, unless }: CompiledRule, views: SampleViews): boolean =>
  when.every((one) => isPreconditionMet(one, views)) && !unless.some((one) => isPreconditionMet(one, views));

const isPreconditionMet = ({ expression, condition }: CompiledPrecondition, views: SampleViews): boolean => {
  const value = expression.value(views);
  return condition === 'absent' ? Number.isNaN(value) : isMet(condition, value);
};

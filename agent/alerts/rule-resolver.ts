/** Which rules are for which container, ready to be evaluated: by their scope, and by the container's own labels. */

import { isSelected } from '../../collectors/catalogue/selection.ts';
import type { Container, Subject } from '../../collectors/records/records.ts';
import { builtinRules } from '../../config/builtin-rules.ts';
import { isMet } from './condition.ts';
import {
  type CompiledExpression,
  compileExpression,
  type SampleViews,
  type SelectorSets,
} from './expression.ts';
import {
  applyLabelOverride,
  describeOverrideFormat,
  type EventRule,
  type MetricRule,
  type Precondition,
  type Rule,
} from './rule.ts';
import type { SampleHistory, SampleLayout } from './sample-history.ts';
import { SelectorSet } from './selectors.ts';

const LABEL = 'portlight.alert.';

const builtinNames = new Set(builtinRules.map(({ rule }) => rule.name));

/** A metric rule, ready to be evaluated. */
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

/** What applies to one container. */
interface ContainerRules {
  readonly labels: Container['labels'];
  readonly name: string;
  readonly rules: readonly CompiledRule[];
}

export class RuleResolver {
  readonly selectors: SelectorSets = { container: new SelectorSet(), host: new SelectorSet() };
  readonly layout: Readonly<Record<keyof SelectorSets, SampleLayout>>;
  /** Of metrics, as the configuration has them. */
  readonly metricRules: readonly CompiledRule[];
  readonly eventRules: readonly EventRule[];
  /** What is shown with an event. */
  readonly eventExpressions = new Map<EventRule, CompiledExpression>();
  private readonly rules: readonly Rule[];
  private readonly interval: number;
  private readonly warn: (message: string) => void;
  private readonly bound = new WeakMap<SampleHistory, ContainerRules>();

  /**
   * @param interval from one round to the next, ms
   * @param warn told what is wrong with a container's label
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
    this.layout = { container: this.layoutOf('container'), host: this.layoutOf('host') };
  }

  /** Scope and the container's own labels decide; both can change with its identity. */
  rulesFor(track: SampleHistory, { name, image, labels }: Container): readonly CompiledRule[] {
    const known = this.bound.get(track);
    if (known !== undefined && known.labels === labels && known.name === name) return known.rules;
    this.tellMistakes(name, labels);
    const rules = this.metricRules.flatMap((ready) => {
      const { rule } = ready;
      if (rule.isHostRule || !this.appliesTo(rule, { name, image, labels })) return [];
      const said = labels[LABEL + rule.name];
      const own = said === undefined ? rule : applyLabelOverride(rule, said);
      return own === rule || own === undefined || own === 'off' || own.kind === 'event'
        ? [ready]
        : [this.compile(own)];
    });
    this.bound.set(track, { labels, name, rules });
    return rules;
  }

  appliesTo({ name, containers }: Rule, subject: Subject): boolean {
    return (
      subject.labels[LABEL + name]?.trim() !== 'off' &&
      isSelected(subject, containers.include, containers.exclude)
    );
  }

  private tellMistakes(container: string, labels: Container['labels']): void {
    if (this.rules.length === 0) return;
    for (const [label, text] of Object.entries(labels)) {
      if (!label.startsWith(LABEL)) continue;
      const name = label.slice(LABEL.length);
      const rule = this.rules.find((one) => one.name === name);
      if (rule === undefined && builtinNames.has(name)) continue;
      const known = [...new Set([...this.rules.map((one) => one.name), ...builtinNames])];
      const mistake =
        rule === undefined
          ? `is of no rule; there are ${known.join(', ')}`
          : applyLabelOverride(rule, text) === undefined
            ? `${JSON.stringify(text)} is not allowed; expected ${describeOverrideFormat(rule)}`
            : undefined;
      if (mistake !== undefined) this.warn(`container ${container}: label ${label}: ${mistake}`);
    }
  }

  private compile(rule: MetricRule): CompiledRule {
    return {
      rule,
      expression: compileExpression(rule.expression, this.selectors),
      when: rule.when.map((one) => this.compilePrecondition(one)),
      unless: rule.unless.map((one) => this.compilePrecondition(one)),
    };
  }

  private compilePrecondition({ expression, condition }: Precondition): CompiledPrecondition {
    return { expression: compileExpression(expression, this.selectors), condition };
  }

  private layoutOf(of: keyof SelectorSets): SampleLayout {
    const trends = this.metricRules.flatMap(({ rule: { expression } }) => {
      const { metric, attributes, isOfHost } = expression.metric;
      if (expression.forecast === undefined || isOfHost !== (of === 'host')) return [];
      return [{ selector: this.selectors[of].register(metric, attributes), window: expression.window }];
    });
    return { selectors: this.selectors[of], interval: this.interval, trends };
  }
}

/** Whether all holds besides that a rule wants to hold. */
export const arePreconditionsMet = ({ when, unless }: CompiledRule, views: SampleViews): boolean =>
  when.every((one) => isPreconditionMet(one, views)) && !unless.some((one) => isPreconditionMet(one, views));

const isPreconditionMet = (
  { expression: quantity, condition }: CompiledPrecondition,
  views: SampleViews,
): boolean => {
  const value = quantity.value(views);
  return condition === 'absent' ? Number.isNaN(value) : isMet(condition, value);
};

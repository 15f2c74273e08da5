/** Which rules are for which container, ready to be evaluated: by their scope, and by the container's own labels. */

import { isSelected } from '../../collectors/catalogue/selection.ts';
import type { Container, Subject } from '../../collectors/records/records.ts';
import { builtinRules } from '../../config/builtin-rules.ts';
import { meets } from './condition.ts';
import { type Quantity, quantityOf, type TermsOf, type Views } from './quantity.ts';
import { type EventRule, type MetricRule, overridden, overrideForm, type Rule, type When } from './rule.ts';
import { Terms } from './terms.ts';
import type { Layout, Track } from './track.ts';

const LABEL = 'portlight.alert.';

const builtinNames = new Set(builtinRules.map(({ rule }) => rule.name));

/** A metric rule, ready to be evaluated. */
export interface Ready {
  readonly rule: MetricRule;
  readonly quantity: Quantity;
  readonly when: readonly Beside[];
  readonly unless: readonly Beside[];
}

interface Beside {
  readonly quantity: Quantity;
  readonly condition: When['condition'];
}

/** What applies to one container. */
interface Bound {
  readonly labels: Container['labels'];
  readonly name: string;
  readonly rules: readonly Ready[];
}

export class Bindings {
  readonly terms: TermsOf = { container: new Terms(), host: new Terms() };
  readonly layout: Readonly<Record<keyof TermsOf, Layout>>;
  /** Of metrics, as the configuration has them. */
  readonly ready: readonly Ready[];
  readonly eventRules: readonly EventRule[];
  /** What is shown with an event. */
  readonly shown = new Map<EventRule, Quantity>();
  private readonly rules: readonly Rule[];
  private readonly interval: number;
  private readonly warn: (message: string) => void;
  private readonly bound = new WeakMap<Track, Bound>();

  /**
   * @param interval from one round to the next, ms
   * @param warn told what is wrong with a container's label
   */
  constructor(rules: readonly Rule[], interval: number, warn: (message: string) => void) {
    this.rules = rules;
    this.interval = interval;
    this.warn = warn;
    this.ready = rules.filter((rule) => rule.kind === 'metric').map((rule) => this.prepare(rule));
    this.eventRules = rules.filter((rule) => rule.kind === 'event');
    for (const rule of this.eventRules)
      if (rule.expression !== undefined) this.shown.set(rule, quantityOf(rule.expression, this.terms));
    this.layout = { container: this.layoutOf('container'), host: this.layoutOf('host') };
  }

  /** Scope and the container's own labels decide; both can change with its identity. */
  rulesFor(track: Track, { name, image, labels }: Container): readonly Ready[] {
    const known = this.bound.get(track);
    if (known !== undefined && known.labels === labels && known.name === name) return known.rules;
    this.tellMistakes(name, labels);
    const rules = this.ready.flatMap((ready) => {
      const { rule } = ready;
      if (rule.isOfHost || !this.isFor(rule, { name, image, labels })) return [];
      const said = labels[LABEL + rule.name];
      const own = said === undefined ? rule : overridden(rule, said);
      return own === rule || own === undefined || own === 'off' || own.kind === 'event'
        ? [ready]
        : [this.prepare(own)];
    });
    this.bound.set(track, { labels, name, rules });
    return rules;
  }

  isFor({ name, containers }: Rule, subject: Subject): boolean {
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
          : overridden(rule, text) === undefined
            ? `${JSON.stringify(text)} is not allowed; expected ${overrideForm(rule)}`
            : undefined;
      if (mistake !== undefined) this.warn(`container ${container}: label ${label}: ${mistake}`);
    }
  }

  private prepare(rule: MetricRule): Ready {
    return {
      rule,
      quantity: quantityOf(rule.expression, this.terms),
      when: rule.when.map((one) => this.beside(one)),
      unless: rule.unless.map((one) => this.beside(one)),
    };
  }

  private beside({ expression, condition }: When): Beside {
    return { quantity: quantityOf(expression, this.terms), condition };
  }

  private layoutOf(of: keyof TermsOf): Layout {
    const trends = this.ready.flatMap(({ rule: { expression } }) => {
      const { metric, attributes, isOfHost } = expression.metric;
      if (expression.forecast === undefined || isOfHost !== (of === 'host')) return [];
      return [{ term: this.terms[of].indexOf(metric, attributes), window: expression.window }];
    });
    return { terms: this.terms[of], interval: this.interval, trends };
  }
}

/** Whether all holds besides that a rule wants to hold. */
export const mayHold = ({ when, unless }: Ready, views: Views): boolean =>
  when.every((one) => isMet(one, views)) && !unless.some((one) => isMet(one, views));

const isMet = ({ quantity, condition }: Beside, views: Views): boolean => {
  const value = quantity.now(views);
  return condition === 'absent' ? Number.isNaN(value) : meets(condition, value);
};

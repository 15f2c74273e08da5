/** What a rule compares with: `>= 90%`, `> 100MiB`, `== 0`. */
import { parseDuration } from '../../config/duration.ts';
import { parseSize } from '../../config/size.ts';

export type Operator = '>=' | '>' | '<=' | '<' | '==' | '!=';

export interface Condition {
  readonly operator: Operator;
  /** In the unit of what is compared. */
  readonly threshold: number;
}

/** NaN, which stands for what is not known, meets no condition. */
export function isMet({ operator, threshold }: Condition, value: number): boolean {
  switch (operator) {
    case '>=':
      return value >= threshold;
    case '>':
      return value > threshold;
    case '<=':
      return value <= threshold;
    case '<':
      return value < threshold;
    case '==':
      return value === threshold;
    case '!=':
      return !Number.isNaN(value) && value !== threshold;
  }
}

/** Whether it is met by what is larger. */
export const isUpward = (operator: Operator): boolean => operator.startsWith('>');

/** How a threshold is written for what has a unit. */
export function describeThresholdFormat(unit: string): string {
  if (unit === '1') return 'a percentage such as 90%';
  if (/^By(\/s)?$/.test(unit)) return 'a size such as 100MiB';
  if (unit === 's') return 'a duration such as 15m';
  return 'a number';
}

/** A threshold in the unit; NaN when it is none. */
export function parseThreshold(text: string, unit: string): number {
  if (/^-?\d+(\.\d+)?$/.test(text)) {
    // Whoever writes 95 means 95 %.
    return unit === '1' && Math.abs(Number(text)) > 1 ? Number.NaN : Number(text);
  }
  if (unit === '1') {
    const [, percent] = /^(-?\d+(?:\.\d+)?)\s*%$/.exec(text) ?? [];
    // As it is written: 0.07 is not quite 7 / 100.
    return percent === undefined ? Number.NaN : Number(`${percent}e-2`);
  }
  if (/^By(\/s)?$/.test(unit)) return parseSize(text.replace(/\/s$/, ''));
  return unit === 's' ? parseDuration(text) / 1000 : Number.NaN;
}

/**
 * @param unit UCUM unit of what is compared
 * @param operator where the text has none
 * @returns undefined when it is no condition
 */
export function parseCondition(text: string, unit: string, operator?: Operator): Condition | undefined {
  const [, given = operator, rest] = /^\s*(>=|>|<=|<|==|!=)?\s*(.+?)\s*$/.exec(text) ?? [];
  if (given === undefined || rest === undefined) return undefined;
  const threshold = parseThreshold(rest, unit);
  return Number.isNaN(threshold) ? undefined : { operator: given as Operator, threshold };
}

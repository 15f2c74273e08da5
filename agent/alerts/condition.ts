/** Conditions of rules: `>= 90%`, `> 100MiB`, `== 0`. */
import { parseDuration } from '../../config/duration.ts';
import { parseSize } from '../../config/size.ts';

export type Operator = '>=' | '>' | '<=' | '<' | '==' | '!=';

export interface Condition {
  readonly operator: Operator;
  /** In the unit of the value. */
  readonly threshold: number;
}

/** An unknown value (NaN) meets no condition. */
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

/** Whether larger values meet the condition. */
export const isUpward = (operator: Operator): boolean => operator.startsWith('>');

/** How users write a threshold of a unit. */
export function describeThresholdFormat(unit: string): string {
  if (unit === '1') return 'a percentage such as 90%';
  if (/^By(\/s)?$/.test(unit)) return 'a size such as 100MiB';
  if (unit === 's') return 'a duration such as 15m';
  return 'a number';
}

/** Parses a threshold into the unit; NaN for invalid text. */
function parseThreshold(text: string, unit: string): number {
  if (/^-?\d+(\.\d+)?$/.test(text)) {
    // A ratio above 1 without % is a typing error: 95 instead of 95%.
    return unit === '1' && Math.abs(Number(text)) > 1 ? Number.NaN : Number(text);
  }
  if (unit === '1') {
    const [, percent] = /^(-?\d+(?:\.\d+)?)\s*%$/.exec(text) ?? [];
    // Moves the decimal point in the text: 7 / 100 is not exactly 0.07.
    return percent === undefined ? Number.NaN : Number(`${percent}e-2`);
  }
  if (/^By(\/s)?$/.test(unit)) return parseSize(text.replace(/\/s$/, ''));
  return unit === 's' ? parseDuration(text) / 1000 : Number.NaN;
}

/**
 * @param unit UCUM unit of the value
 * @param defaultOperator used where the text has no operator
 * @returns undefined for invalid text
 */
export function parseCondition(
  text: string,
  unit: string,
  defaultOperator?: Operator,
): Condition | undefined {
  const [, operator = defaultOperator, rest] = /^\s*(>=|>|<=|<|==|!=)?\s*(.+?)\s*$/.exec(text) ?? [];
  if (operator === undefined || rest === undefined) return undefined;
  const threshold = parseThreshold(rest, unit);
  return Number.isNaN(threshold) ? undefined : { operator: operator as Operator, threshold };
}

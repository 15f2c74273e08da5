import { formatValue } from '../../exporters/alerts/text.ts';
import { formatDuration } from '../../exporters/console/format.ts';
import type { Rule } from './rule.ts';

/** When a rule fires, in one line: `container.pids.current / container.pids.limit >= 90 % for 30s`. */
export function describeRule(rule: Rule): string {
  if (rule.kind === 'event') return 'an event';
  const { expression, condition, unit, forMs } = rule;
  const { metric, over, forecast, window } = expression;
  const suffix = forMs === 0 ? '' : ` for ${formatDuration(forMs / 1000)}`;
  const bound = over?.metric.name;
  if (forecast !== undefined) {
    const verb = forecast.kind === 'level' ? 'will reach' : 'will use up';
    const trend = `(trend of the last ${formatDuration(window / 1000)})`;
    return `${metric.metric.name} ${verb} ${bound} within ${formatDuration(forecast.ahead / 1000)}${suffix} ${trend}`;
  }
  const attributes = Object.entries(metric.attributes).map(([key, value]) => `${key}=${value}`);
  const selector = attributes.length === 0 ? '' : `{${attributes.join(', ')}}`;
  const ratio = bound === undefined ? '' : ` / ${bound}`;
  const range = metric.metric.kind === 'counter' ? ` over ${formatDuration(window / 1000)}` : '';
  const comparison = `${condition.operator} ${formatValue(condition.threshold, unit)}`;
  return `${metric.metric.name}${selector}${ratio}${range} ${comparison}${suffix}`;
}

/** `portlight alerts`: current alerts and the rules. */
import type { Command } from 'commander';
import { builtinRules } from '../../config/builtin-rules.ts';
import type { Config } from '../../config/schema.ts';
import { type AlertJson, alertToJson } from '../../exporters/alerts/alert.ts';
import { formatValue } from '../../exporters/alerts/text.ts';
import { formatDuration } from '../../exporters/console/format.ts';
import { describeRule } from '../alerts/describe-rule.ts';
import { parseRules } from '../alerts/parse-rules.ts';
import type { Rule } from '../alerts/rule.ts';
import { findAgent } from '../views/watch/agent-client.ts';
import { evaluateRulesOnce } from '../views/watch/evaluate-once.ts';
import { loadCommandConfig } from './config-flags.ts';
import { print, printAs, printTable } from './output.ts';

/** A row of the table. @param now ms since the epoch */
export function alertRow(alert: AlertJson, now: number): string[] {
  const { severity, status, rule, container, value, unit, annotations } = alert;
  const startedAt = Date.parse(alert.startsAt);
  const endedAt = alert.endsAt === null ? undefined : Date.parse(alert.endsAt);
  return [
    status,
    severity,
    rule,
    container?.name ?? 'host',
    `${formatDuration((now - (endedAt ?? startedAt)) / 1000)} ago`,
    // The value of a resolved alert is normal again, and would contradict its summary.
    endedAt === undefined
      ? formatValue(value, unit)
      : `lasted ${formatDuration((endedAt - startedAt) / 1000)}`,
    annotations.summary ?? '',
  ];
}

function show(alerts: readonly AlertJson[]): void {
  if (alerts.length === 0) {
    print('No alerts');
    return;
  }
  const now = Date.now();
  const rows = alerts.map((alert) => alertRow(alert, now));
  const head = ['STATUS', 'SEVERITY', 'RULE', 'CONTAINER', 'SINCE', 'VALUE', 'SUMMARY'];
  printTable({ head, rows, right: ['VALUE'] });
}

export async function listAlerts({ output }: { output: string }, command: Command): Promise<void> {
  const { config } = await loadCommandConfig(command);
  const agent = await findAgent(config);
  const found =
    agent === undefined
      ? (await evaluateRulesOnce(config)).map(alertToJson)
      : await agent.get<AlertJson[]>('/alerts');
  if (agent === undefined)
    console.error(
      'portlight: no running agent found. The rules were evaluated once; rules on trends, changes and events need an agent',
    );
  await printAs(output, found, () => show(found));
}

export async function listRules({ output }: { output: string }, command: Command): Promise<void> {
  const { config, ruleProblems } = await loadCommandConfig(command);
  const reasons = new Map(builtinRules.map(({ rule, reason }) => [rule.name, reason]));
  const rules = rulesWithOptIn(config.alerts).map(({ rule, isOn }) => ({
    name: rule.name,
    on: isOn,
    severity: rule.severity,
    when: describeRule(rule),
    reason: reasons.get(rule.name) ?? 'configured',
  }));
  const head = ['RULE', 'STATE', 'SEVERITY', 'FIRES WHEN'];
  const rows = rules.map(({ name, on, severity, when }) => [name, on ? 'on' : 'off', severity, when]);
  await printAs(output, rules, () => printTable({ head, rows }));
  for (const problem of ruleProblems) console.error(`portlight: ${problem}`);
}

/** All rules, disabled ones included. */
function rulesWithOptIn(config: Config['alerts']): { rule: Rule; isOn: boolean }[] {
  const on = new Set(parseRules(config).rules.map(({ name }) => name));
  const names = builtinRules.map(({ rule }) => rule.name);
  const all = parseRules({ ...config, enabled: true, enable: names, disable: [] }).rules;
  return all.map((rule) => ({ rule, isOn: on.has(rule.name) }));
}

/** Writes the alert rules as Prometheus rule files: https://prometheus.io/docs/prometheus/latest/configuration/alerting_rules/ */
import { Document, type YAMLMap, type YAMLSeq } from 'yaml';
import { type AlertRule, alertRules, optInRules, type ScrapeEndpoint } from './alert-rules.ts';

const LABEL: Readonly<Record<ScrapeEndpoint, string>> = {
  portlight: '{{ $labels.container_name }}',
  cadvisor: '{{ $labels.name }}',
};

const PATH: Readonly<Record<ScrapeEndpoint, string>> = {
  portlight: '/metrics',
  cadvisor: '/metrics/cadvisor',
};

/** memory_forecast → PortlightMemoryForecast */
const alertName = (rule: string): string =>
  `Portlight${rule.replaceAll(/(?:^|_)(.)/g, (_, letter: string) => letter.toUpperCase())}`;

/** Comment lines of at most 110 characters. */
const wrapped = (text: string): string => text.replaceAll(/(.{1,100})(?: |$)/g, ' $1\n').trimEnd();

function header(endpoint: ScrapeEndpoint, group: string, rules: readonly AlertRule[]): string {
  const missing = rules.flatMap(({ rule, missing }) => {
    const reason = missing?.[endpoint];
    return reason === undefined ? [] : [wrapped(`- ${alertName(rule)}: ${reason}`)];
  });
  return [
    wrapped(`Alerting rules (${group}) for Portlight's scrape endpoint ${PATH[endpoint]}.`),
    wrapped('Generated from agent/setup/shipped/alert-rules.ts by npm run docs.'),
    '',
    wrapped(
      'The windows suit a scrape_interval of 15 s, and of 30 s at most. Load the files of one endpoint only: otherwise you get the alerts that both have twice.',
    ),
    ...(missing.length === 0
      ? []
      : ['', wrapped('Rules that are not possible with this endpoint:'), ...missing]),
  ].join('\n');
}

function ruleFile(endpoint: ScrapeEndpoint, group: string, all: readonly AlertRule[]): string {
  const rules = all.filter(({ expr }) => expr[endpoint] !== undefined);
  const fill = (template: string) => template.replaceAll('CONTAINER', LABEL[endpoint]);
  const document = new Document({
    groups: [
      {
        name: group,
        rules: rules.map((rule) => ({
          alert: alertName(rule.rule),
          expr: rule.expr[endpoint],
          ...(rule.for?.[endpoint] !== undefined && { for: rule.for[endpoint] }),
          labels: { severity: rule.severity },
          annotations: { summary: fill(rule.summary), description: fill(rule.description) },
        })),
      },
    ],
  });
  const list = document.getIn(['groups', 0, 'rules']) as YAMLSeq<YAMLMap>;
  for (const [index, rule] of rules.entries()) {
    const item = list.items[index]!;
    item.commentBefore = wrapped(rule.why);
    item.spaceBefore = index > 0;
  }
  document.commentBefore = header(endpoint, group, all);
  return document.toString({ lineWidth: 0 });
}

/** Text by path from the root of the project. */
export const ruleFiles = (): Readonly<Record<string, string>> => ({
  'config/prometheus/portlight.rules.yaml': ruleFile('portlight', 'portlight', alertRules),
  'config/prometheus/portlight-opt-in.rules.yaml': ruleFile('portlight', 'portlight-opt-in', optInRules),
  'config/prometheus/portlight-cadvisor.rules.yaml': ruleFile('cadvisor', 'portlight-cadvisor', [
    ...alertRules,
    ...optInRules,
  ]),
});

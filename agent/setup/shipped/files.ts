/** The generated files of config/: text by path from the root of the project. */
import { jsonSchema } from '../../../config/json-schema.ts';
import { container } from './dashboards/container.ts';
import { hosts } from './dashboards/hosts.ts';
import { logsAndEvents } from './dashboards/logs-events.ts';
import { ruleFiles } from './rule-files.ts';

const json = (value: object): string => `${JSON.stringify(value, undefined, 2)}\n`;

export const shippedFiles = (): Readonly<Record<string, string>> => ({
  ...ruleFiles(),
  'config/portlight.schema.json': json(jsonSchema()),
  'config/grafana/portlight-hosts.json': json(hosts()),
  'config/grafana/portlight-container.json': json(container()),
  'config/grafana/portlight-logs-events.json': json(logsAndEvents()),
});

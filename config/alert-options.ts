/** What a user can say of alerts: which rules there are, and who is told. */

import * as v from 'valibot';
import { builtinRules } from './builtin-rules.ts';
import {
  booleanValue,
  containerFilterOptions,
  durationBetween,
  type Leaf,
  oneOf,
  option,
  optional,
  optionalText,
  optionalTextWhere,
  textList,
} from './option.ts';
import { parsePairs } from './receiver-options.ts';
import { alertSeverities } from './severity.ts';

const isUrl = (text: string): boolean => /^https?:\/\//.test(text) && URL.canParse(text);
const LABEL = /^[a-zA-Z_]\w*$/;
export const webhookFormats = ['json', 'slack', 'teams', 'discord'] as const;

const names = builtinRules.map(({ rule }) => rule.name);
const RULE_NAMES = { allowed: `a list of ${names.join(', ')}`, values: names, flag: 'names' };
const PAIRS = 'key=value pairs with commas, percent-encoded';

/** How a receiver of alerts is spoken to. */
const requestOptions = {
  headers: option(
    'Headers of each request; several with commas',
    { allowed: PAIRS, secret: true },
    optionalTextWhere((text) => parsePairs(text) !== undefined),
  ),
  headers_file: option(
    'File of more headers, a line each (name: value), for secrets; read again every few minutes',
    { allowed: 'a path' },
    optionalText,
  ),
  timeout: option(
    'How long the answer to a request is waited for',
    { allowed: 'a duration between 100ms and 10m with its unit, such as 10s' },
    optional(durationBetween(100, 600_000)),
  ),
  certificate: option(
    "Certificates to trust, instead of the system's",
    { allowed: 'a path to a file in PEM' },
    optionalText,
  ),
  client_certificate: option('Certificate to show', { allowed: 'a path to a file in PEM' }, optionalText),
  client_key: option('Key of the certificate to show', { allowed: 'a path to a file in PEM' }, optionalText),
};

/** What can be said of each of `alerts.webhooks`. */
export const webhookOptions = {
  url: option(
    'Where alerts are posted',
    { allowed: 'an http:// or https:// URL', secret: true },
    v.pipe(v.string(), v.check(isUrl)) as Leaf<string>,
  ),
  format: option(
    'What is posted: all that is known of the alert, or a message as a chat takes it',
    { allowed: `one of ${webhookFormats.join(', ')}`, values: webhookFormats },
    optional(oneOf(webhookFormats)),
  ),
  template: option(
    'File of a Mustache template of the body, instead of a format; what is filled in is escaped for JSON',
    { allowed: 'a path' },
    optionalText,
  ),
  secret_file: option(
    'File of the secret that requests are signed with, as Standard Webhooks has it',
    { allowed: 'a path to a file with the secret, with or without whsec_ before it' },
    optionalText,
  ),
  min_severity: option(
    'Alerts below it are not posted',
    { allowed: `one of ${alertSeverities.join(', ')}`, values: alertSeverities },
    optional(oneOf(alertSeverities)),
  ),
  resolved: option(
    'Whether the end of an alert is posted too; true by default',
    { allowed: 'true or false' },
    optional(booleanValue),
  ),
  containers: containerFilterOptions({
    include: 'Containers whose alerts are posted',
    exclude: 'Containers whose alerts are not posted',
  }),
  ...requestOptions,
};

export const alertOptions = {
  enabled: option(
    'Whether rules are evaluated',
    { allowed: 'true or false', flag: 'true|false' },
    booleanValue,
  ),
  enable: option(
    'Built-in rules to evaluate that are off by default',
    RULE_NAMES,
    textList((name) => names.includes(name)),
  ),
  disable: option(
    'Built-in rules not to evaluate',
    RULE_NAMES,
    textList((name) => names.includes(name)),
  ),
  rules: option(
    'Rules of your own, and changes to built-in ones; docs/alerts.md has what a rule can say',
    { allowed: 'a list of rules, each with a name' },
    v.array(v.unknown()) as Leaf<unknown[]>,
  ),
  labels: option(
    'Labels that every alert bears, such as team=shop',
    { allowed: `${PAIRS}; keys of letters, digits and _`, flag: 'pairs' },
    optionalTextWhere((text) => Object.keys(parsePairs(text) ?? { '': '' }).every((key) => LABEL.test(key))),
  ),
  alertmanager: v.strictObject({
    urls: option(
      'Alertmanagers that all alerts are posted to, each of them all',
      { allowed: 'a list of http:// or https:// URLs', flag: 'urls' },
      textList(isUrl),
    ),
    resend: option(
      'How often an alert that still fires is posted again; four times as long without it, and the Alertmanager takes it for resolved',
      { allowed: 'a duration between 1s and 1h with its unit, such as 1m' },
      durationBetween(1000, 3_600_000),
    ),
    ...requestOptions,
  }),
  webhooks: option(
    'Where alerts are posted besides, by a name for each',
    { allowed: 'names of letters, digits, _ and -, each with url and whatever else it needs' },
    v.pipe(
      v.unknown(),
      v.check((given) => !Array.isArray(given)),
      v.record(v.pipe(v.string(), v.regex(/^[\w-]+$/)), v.strictObject(webhookOptions)),
    ) as Leaf<Record<string, v.InferOutput<v.StrictObjectSchema<typeof webhookOptions, undefined>>>>,
  ),
};

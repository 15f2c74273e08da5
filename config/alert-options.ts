/** Options of alerts: rules and receivers. */

import * as v from 'valibot';
import { builtinRules } from './builtin-rules.ts';
import {
  booleanValue,
  containerFilterOptions,
  durationBetween,
  type Leaf,
  oneOf,
  option,
  optionalText,
  optionalTextWhere,
  optionWithDefault,
  textList,
} from './option.ts';
import { DEFAULT_TIMEOUT, parsePairs } from './receiver-options.ts';
import { alertSeverities } from './severity.ts';

const isUrl = (text: string): boolean => /^https?:\/\//.test(text) && URL.canParse(text);
const LABEL = /^[a-zA-Z_]\w*$/;
export const webhookFormats = ['json', 'slack', 'teams', 'discord'] as const;

const names = builtinRules.map(({ rule }) => rule.name);
const RULE_NAMES = { allowed: `a list of ${names.join(', ')}`, values: names, flag: 'names', default: [] };
const PAIRS = 'key=value pairs with commas, percent-encoded';
const PEM_FILE = { allowed: 'the path of a PEM file' };

const requestOptions = {
  headers: option(
    'Request headers; separate several with commas',
    { allowed: PAIRS, secret: true },
    optionalTextWhere((text) => parsePairs(text) !== undefined),
  ),
  headers_file: option(
    'File with more request headers, one per line (name: value). Use it for secrets. It is read again every few minutes',
    { allowed: 'a path' },
    optionalText,
  ),
  timeout: optionWithDefault(
    'Timeout of a request',
    { allowed: 'a duration between 100ms and 10m with its unit, such as 10s', default: DEFAULT_TIMEOUT },
    durationBetween(100, 600_000),
  ),
  certificate: option("Certificates to trust instead of the system's", PEM_FILE, optionalText),
  client_certificate: option('Client certificate', PEM_FILE, optionalText),
  client_key: option('Key of the client certificate', PEM_FILE, optionalText),
};

/** Options of each of `alerts.webhooks`. */
export const webhookOptions = {
  url: option(
    'URL that alerts are posted to',
    { allowed: 'an http:// or https:// URL', secret: true },
    v.pipe(v.string(), v.check(isUrl)) as Leaf<string>,
  ),
  format: optionWithDefault(
    'Format of the body: json has all data of the alert; the others are messages for these chats',
    { allowed: `one of ${webhookFormats.join(', ')}`, values: webhookFormats, default: 'json' },
    oneOf(webhookFormats),
  ),
  template: option(
    'File with a Mustache template of the body, instead of a format; values are escaped for JSON',
    { allowed: 'a path' },
    optionalText,
  ),
  secret_file: option(
    'File with the secret that requests are signed with, as specified by Standard Webhooks',
    { allowed: 'the path of a file with the secret, with or without the prefix whsec_' },
    optionalText,
  ),
  min_severity: optionWithDefault(
    'Lowest severity of alerts to post',
    { allowed: `one of ${alertSeverities.join(', ')}`, values: alertSeverities, default: 'info' },
    oneOf(alertSeverities),
  ),
  resolved: optionWithDefault(
    'Whether to post when an alert is resolved',
    { allowed: 'true or false', default: true },
    booleanValue,
  ),
  containers: containerFilterOptions({
    include: 'Containers whose alerts are posted; all by default',
    exclude: 'Containers whose alerts are not posted',
  }),
  ...requestOptions,
};

export const alertOptions = {
  enabled: option(
    'Whether to evaluate alert rules',
    { allowed: 'true or false', flag: 'true|false', default: true },
    booleanValue,
  ),
  enable: option(
    'Opt-in built-in rules to evaluate',
    RULE_NAMES,
    textList((name) => names.includes(name)),
  ),
  disable: option(
    'Built-in rules not to evaluate',
    RULE_NAMES,
    textList((name) => names.includes(name)),
  ),
  rules: option(
    'Your own rules, and changes to built-in rules; see docs/alerts.md',
    { allowed: 'a list of rules, each with a name', default: [] },
    v.array(v.unknown()) as Leaf<unknown[]>,
  ),
  labels: option(
    'Labels to add to every alert, such as team=shop',
    { allowed: `${PAIRS}; keys of letters, digits and _`, flag: 'pairs' },
    optionalTextWhere((text) => Object.keys(parsePairs(text) ?? { '': '' }).every((key) => LABEL.test(key))),
  ),
  alertmanager: v.strictObject({
    urls: option(
      'Alertmanagers; each receives all alerts',
      { allowed: 'a list of http:// or https:// URLs', flag: 'urls', default: [] },
      textList(isUrl),
    ),
    resend: option(
      'How often a firing alert is posted again. The Alertmanager resolves an alert that it does not receive for four times as long',
      { allowed: 'a duration between 1s and 1h with its unit, such as 1m', default: '1m' },
      durationBetween(1000, 3_600_000),
    ),
    ...requestOptions,
  }),
  webhooks: option(
    'Webhooks by name',
    { allowed: 'names of letters, digits, _ and -, each with url and its other options', default: {} },
    v.pipe(
      v.unknown(),
      v.check((value) => !Array.isArray(value)),
      v.record(v.pipe(v.string(), v.regex(/^[\w-]+$/)), v.strictObject(webhookOptions)),
    ) as Leaf<Record<string, v.InferOutput<v.StrictObjectSchema<typeof webhookOptions, undefined>>>>,
  ),
};

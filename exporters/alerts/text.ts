/** Texts of alerts: Mustache templates, and numbers formatted for people. */
import Mustache from 'mustache';
import { type Attributes, type AttributeValue, isoTime } from '../../collectors/records/records.ts';
import { formatBytes, formatDuration } from '../console/format.ts';
import type { Alert } from './alert.ts';

/** Variables of templates. Those with a dot are attributes of the resource, labels and the like. */
const NAMES =
  /^(\.|rule|severity|status|value|threshold|limit|startsAt|endsAt|summary|log|events|(container|host|service|os|docker|deployment|labels|annotations|event|raw)\..+)$/;

/** `0.934` → `93.4 %`, depending on the UCUM unit. */
export function formatValue(value: number, unit: string): string {
  const rounded = Number(value.toPrecision(3));
  if (unit === '1') return `${Number((value * 100).toFixed(Math.abs(value) < 0.1 ? 1 : 0))} %`;
  if (unit === 'By') return formatBytes(value);
  if (unit === 'By/s') return `${formatBytes(value)}/s`;
  if (unit === 's') return Number.isFinite(value) ? formatDuration(Math.max(1, value)) : 'never';
  const whole = Math.abs(value) >= 100 ? Math.round(value) : rounded;
  return unit.endsWith('/s') ? `${whole}/s` : String(whole);
}

/** Bytes by kind → `anon 1 MiB, file 2 MiB`. */
export const formatMemory = (memory: Readonly<Record<string, number>>): string =>
  Object.entries(memory)
    .map(([kind, bytes]) => `${kind} ${formatValue(bytes, 'By')}`)
    .join(', ');

type Nested = { [key: string]: Nested | AttributeValue };

const isNested = (value: Nested[string] | undefined): value is Nested =>
  typeof value === 'object' && !Array.isArray(value);

/** `{'a.b': 1}` → `{a: {b: 1}}`. If one name is a prefix of another, the shorter one is left out. */
function nested(attributes: Attributes): Nested {
  const root: Nested = {};
  for (const [name, value] of Object.entries(attributes)) {
    const keys = name.split('.');
    const last = keys.pop()!;
    let parent = root;
    for (const key of keys) {
      const child = parent[key];
      const next: Nested = isNested(child) ? child : {};
      parent[key] = next;
      parent = next;
    }
    parent[last] ??= value;
  }
  return root;
}

/** The variables of an alert's templates. @param event attributes of the event that fired the alert */
export function createTemplateView(alert: Alert, event: Attributes = {}): object {
  const { rule, severity, status, value, unit, threshold, limit, limitUnit, labels } = alert;
  return {
    host: { name: '' },
    container: { name: '' },
    ...nested(alert.resource),
    rule,
    severity,
    status,
    value: formatValue(value, unit),
    threshold: threshold === undefined ? '' : formatValue(threshold, unit),
    limit: limit === undefined ? '' : formatValue(limit, limitUnit),
    startsAt: isoTime(alert.startsAt),
    endsAt: alert.endsAt === undefined ? '' : isoTime(alert.endsAt),
    labels,
    event: nested(event),
    raw: { value, threshold: threshold ?? '', limit: limit ?? '' },
  };
}

const asIs = { escape: (value: unknown) => String(value) };
/** For variables between quotation marks of JSON. */
const asJson = { escape: (value: unknown) => JSON.stringify(String(value)).slice(1, -1) };

export const renderTemplate = (template: string, view: object): string =>
  Mustache.render(template, view, {}, asIs);
export const renderJsonTemplate = (template: string, view: object): string =>
  Mustache.render(template, view, {}, asJson);

type Token = [type: string, name: string, start: number, end: number, ...rest: unknown[]];

function namesIn(tokens: readonly Token[]): string[] {
  return tokens.flatMap(([type, name, , , children]) => {
    if (type === 'text' || type === '!') return [];
    return [name, ...(Array.isArray(children) ? namesIn(children as Token[]) : [])];
  });
}

/** The mistake in a template; undefined when it has none. */
export function findTemplateMistake(template: string): string | undefined {
  try {
    const unknown = namesIn(Mustache.parse(template) as unknown as Token[]).find((name) => !NAMES.test(name));
    return unknown === undefined ? undefined : `{{${unknown}}} is not a known variable`;
  } catch (error) {
    return (error as Error).message;
  }
}

/**
 * The configuration file as JSON Schema, for editors and for pipelines that check files. It knows keys, types and what a
 * pattern can say; `portlight config validate` knows all.
 */
import { type JsonSchema, toJsonSchema } from '@valibot/to-json-schema';
import * as v from 'valibot';
import { webhookOptions } from './alert-options.ts';
import { daemonOptions } from './daemon-options.ts';
import { DEFAULTS } from './load.ts';
import type { OptionMetadata } from './option.ts';
import { ruleOptions } from './rule-options.ts';
import { destinationOptions, schema } from './schema.ts';

type Entries = Readonly<Record<string, v.GenericSchema>>;

/** A value that a variable is filled into may be anything once it is. */
const TEMPLATE: JsonSchema = { type: 'string', pattern: '\\$\\{' };

/** Keys below those that users name, by option. */
const NAMED: Readonly<Record<string, { readonly entries: unknown; readonly required: readonly string[] }>> = {
  daemons: { entries: daemonOptions, required: [] },
  destinations: { entries: destinationOptions, required: ['endpoint'] },
  'alerts.webhooks': { entries: webhookOptions, required: ['url'] },
};

/** What a group has, which may be left out as a whole. */
const entriesOf = (group: v.GenericSchema): Entries =>
  (('wrapped' in group ? group.wrapped : group) as { readonly entries: Entries }).entries;

/** Takes one value or a list, each of the values where there are few. */
function withValues(type: JsonSchema, { values }: OptionMetadata): JsonSchema {
  const isList = type.anyOf?.some((one) => typeof one === 'object' && one.type === 'array');
  if (!isList || values === undefined) return type;
  const items: JsonSchema = { anyOf: [{ enum: [...values] }, TEMPLATE] };
  return { anyOf: [{ type: 'array', items }, { enum: [...values] }, { type: 'string' }] };
}

function orTemplate(type: JsonSchema): JsonSchema {
  const alternatives = type.anyOf ?? [type];
  const texts = alternatives.filter((one) => typeof one === 'object' && one.type === 'string');
  const takesAny = texts.some((one) => typeof one === 'object' && !one.enum && !one.pattern);
  return texts.length === 0 || takesAny ? type : { anyOf: [...alternatives, TEMPLATE] };
}

function valueSchema(leaf: v.GenericSchema, path: string, facts: OptionMetadata): JsonSchema {
  const named = NAMED[path];
  if (named !== undefined) {
    const one = { ...objectSchema(named.entries as Entries), required: [...named.required] };
    return { type: 'object', additionalProperties: one };
  }
  if (path === 'alerts.rules') {
    const rule = { ...objectSchema(ruleOptions as unknown as Entries), required: ['name'] };
    return { type: 'array', items: rule };
  }
  const converted = toJsonSchema(leaf as Parameters<typeof toJsonSchema>[0], {
    target: 'draft-07',
    typeMode: 'input',
    errorMode: 'ignore',
    ignoreActions: ['description', 'metadata'],
  });
  const { $schema: _, ...type } = converted;
  return orTemplate(withValues(type, facts));
}

/** @param prefix of the keys' paths; undefined below what users name, where nothing has a default of its own */
function objectSchema(entries: Entries, prefix?: string): JsonSchema {
  const properties = Object.entries(entries).map(([key, leaf]): [string, JsonSchema] => {
    const path = prefix === undefined ? '' : prefix + key;
    const known = leaf as Parameters<typeof v.getMetadata>[0];
    const { facts } = v.getMetadata(known) as { facts?: OptionMetadata };
    if (facts === undefined)
      return [key, objectSchema(entriesOf(leaf), prefix === undefined ? undefined : `${path}.`)];
    return [
      key,
      {
        description: `${v.getDescription(known)}. Expected: ${facts.allowed}`,
        ...valueSchema(leaf, path, facts),
        ...(path in DEFAULTS && { default: DEFAULTS[path] as JsonSchema['default'] }),
      },
    ];
  });
  return {
    type: ['object', 'null'],
    properties: Object.fromEntries(properties),
    additionalProperties: false,
  };
}

/** Draft 07, which all editors know. */
export const jsonSchema = (): JsonSchema => ({
  $schema: 'http://json-schema.org/draft-07/schema#',
  title: 'portlight.yaml',
  ...objectSchema(schema.entries as unknown as Entries, ''),
});

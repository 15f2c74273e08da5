/**
 * The configuration file as JSON Schema, for editors and CI. It checks keys, types and patterns; `portlight
 * config validate` checks everything.
 */
import { type JsonSchema, toJsonSchema } from '@valibot/to-json-schema';
import type * as v from 'valibot';
import { findOptionMetadata, type OptionMetadata, optionDescription } from './option.ts';
import { ruleOptions } from './rule-options.ts';
import { namedOptions, schema } from './schema.ts';

type Entries = Readonly<Record<string, v.GenericSchema>>;

/** A text with a variable, whose value is not known yet. */
const TEMPLATE: JsonSchema = { type: 'string', pattern: '\\$\\{' };

/** The options of a group, which may be optional. */
const groupEntries = (group: v.GenericSchema): Entries =>
  (('wrapped' in group ? group.wrapped : group) as { readonly entries: Entries }).entries;

/** Restricts lists to the allowed values. A list may also be one value, or one text with commas. */
function restrictItems(type: JsonSchema, { values }: OptionMetadata): JsonSchema {
  const isList = type.anyOf?.some((one) => typeof one === 'object' && one.type === 'array');
  if (!isList || values === undefined) return type;
  const items: JsonSchema = { anyOf: [{ enum: [...values] }, TEMPLATE] };
  return { anyOf: [{ type: 'array', items }, { enum: [...values] }, { type: 'string' }] };
}

function allowTemplate(type: JsonSchema): JsonSchema {
  const alternatives = type.anyOf ?? [type];
  const texts = alternatives.filter((one) => typeof one === 'object' && one.type === 'string');
  const allowsAnyText = texts.some((one) => typeof one === 'object' && !one.enum && !one.pattern);
  return texts.length === 0 || allowsAnyText ? type : { anyOf: [...alternatives, TEMPLATE] };
}

function valueSchema(leaf: v.GenericSchema, path: string, metadata: OptionMetadata): JsonSchema {
  const named = namedOptions[path];
  if (named !== undefined) {
    const one = { ...objectSchema(named.entries, `${path}.*.`), required: [...named.required] };
    return { type: 'object', additionalProperties: one };
  }
  if (path === 'alerts.rules') {
    const rule = { ...objectSchema(ruleOptions as unknown as Entries, `${path}.*.`), required: ['name'] };
    return { type: 'array', items: rule };
  }
  const converted = toJsonSchema(leaf as Parameters<typeof toJsonSchema>[0], {
    target: 'draft-07',
    typeMode: 'input',
    errorMode: 'ignore',
    ignoreActions: ['description', 'metadata'],
  });
  const { $schema: _, default: __, ...type } = converted;
  return allowTemplate(restrictItems(type, metadata));
}

/** @param prefix of the options' paths */
function objectSchema(entries: Entries, prefix: string): JsonSchema {
  const properties = Object.entries(entries).map(([key, leaf]): [string, JsonSchema] => {
    const path = prefix + key;
    const metadata = findOptionMetadata(leaf);
    if (metadata === undefined) return [key, objectSchema(groupEntries(leaf), `${path}.`)];
    return [
      key,
      {
        description: `${optionDescription(leaf)}. Expected: ${metadata.allowed}`,
        ...valueSchema(leaf, path, metadata),
        ...(metadata.default !== undefined && { default: metadata.default as JsonSchema['default'] }),
      },
    ];
  });
  return {
    type: ['object', 'null'],
    properties: Object.fromEntries(properties),
    additionalProperties: false,
  };
}

/** Draft 07, which all editors support. */
export const jsonSchema = (): JsonSchema => ({
  $schema: 'http://json-schema.org/draft-07/schema#',
  title: 'portlight.yaml',
  ...objectSchema(schema.entries as unknown as Entries, ''),
});

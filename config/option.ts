/** Building blocks of the schema: options with their metadata, and the types of their values. */
import * as v from 'valibot';
import { CONTAINER_SELECTOR } from '../collectors/shared/container-filter.ts';
import type { Environment } from '../collectors/shared/environment.ts';
import { DURATION, parseDuration } from './duration.ts';
import type { SettingValues } from './setting.ts';
import { parseSize, SIZE } from './size.ts';

/**
 * What is known of an option besides the type of its value. Validation, flags, help and JSON Schema derive
 * from it.
 */
export interface OptionMetadata {
  /** The allowed values, as the end of "expected …". */
  readonly allowed: string;
  /** All allowed values, where they are few. */
  readonly values?: readonly string[];
  /** Candidates for "did you mean", where `values` is not set. */
  readonly choices?: readonly string[];
  /** Used where the option is not set; as users write it. */
  readonly default?: unknown;
  /** For a default that depends on the environment, or on options that come before in the schema. */
  readonly computeDefault?: (env: Environment, settings: SettingValues) => unknown;
  /** Placeholder of the value in `--help`; an option without one has no flag. */
  readonly flag?: string;
  /** The variable that OpenTelemetry specifies for it. */
  readonly otel?: string;
  /** Converts the value of OpenTelemetry's variable. */
  readonly fromOtel?: (value: string) => string;
  /** Whether the value must never be shown. */
  readonly secret?: boolean;
}

/** What the agent observes: the whole host, or the containers around its own. */
export const scopeNames = ['host', 'project', 'pod', 'self'] as const;
export type ScopeName = (typeof scopeNames)[number];

export type Leaf<T> = v.GenericSchema<unknown, T>;

type Described = Parameters<typeof v.getMetadata>[0];

export const optionMetadata = (schema: v.GenericSchema): OptionMetadata =>
  (v.getMetadata(schema as Described) as { metadata: OptionMetadata }).metadata;

/** Undefined for a group of options. */
export const findOptionMetadata = (schema: v.GenericSchema): OptionMetadata | undefined =>
  (v.getMetadata(schema as Described) as { metadata?: OptionMetadata }).metadata;

export const optionDescription = (schema: v.GenericSchema): string =>
  v.getDescription(schema as Described) ?? '';

export const option = <T>(description: string, metadata: OptionMetadata, schema: Leaf<T>) =>
  v.pipe(schema, v.description(description), v.metadata({ metadata }));

/**
 * An option below a name that users choose, whose default is filled in when the configuration is validated.
 */
export const optionWithDefault = <T, D>(
  description: string,
  metadata: OptionMetadata & { readonly default: D },
  leaf: Leaf<T>,
) => option(description, metadata, v.optional(leaf, metadata.default) as Leaf<T>);

export const optional = <T>(leaf: Leaf<T>) => v.optional(leaf) as Leaf<T | undefined>;

export const requiredText = v.string() as Leaf<string>;
export const optionalText = v.optional(v.string()) as Leaf<string | undefined>;
export const oneOf = <const T extends readonly string[]>(values: T) => v.picklist(values) as Leaf<T[number]>;
export const matching = (pattern: RegExp) => v.pipe(v.string(), v.regex(pattern)) as Leaf<string>;

/** A list, or one text with commas, as in flags and variables. */
const items = v.union([
  v.pipe(
    v.string(),
    v.transform((joined) => joined.split(',').map((item) => item.trim())),
  ),
  v.array(v.string()),
]);

/** At least one of the values. */
export const choiceList = <const T extends readonly string[]>(values: T) =>
  v.pipe(items, v.array(v.picklist(values)), v.minLength(1)) as Leaf<T[number][]>;

export const textList = (isValid: (item: string) => boolean) =>
  v.pipe(items, v.array(v.pipe(v.string(), v.check(isValid)))) as Leaf<string[]>;

/** Parsed into milliseconds. @param min, max in ms, inclusive */
export const durationBetween = (min: number, max: number) =>
  v.pipe(
    v.string(),
    v.regex(DURATION),
    v.transform(parseDuration),
    v.number(),
    v.minValue(min),
    v.maxValue(max),
  ) as Leaf<number>;

export const optionalTextWhere = (isValid: (text: string) => boolean) =>
  v.optional(v.pipe(v.string(), v.check(isValid))) as Leaf<string | undefined>;

/** A whole number. @param min, max inclusive */
export const numberBetween = (min: number, max: number) =>
  v.pipe(
    v.union([v.number(), v.pipe(v.string(), v.regex(/^\d+$/), v.transform(Number))]),
    v.integer(),
    v.minValue(min),
    v.maxValue(max),
  ) as Leaf<number>;

/** Parsed into bytes. @param min, max in bytes, inclusive */
export const sizeBetween = (min: number, max: number) =>
  v.pipe(
    v.string(),
    v.regex(SIZE),
    v.transform(parseSize),
    v.number(),
    v.minValue(min),
    v.maxValue(max),
  ) as Leaf<number>;

export const booleanValue = v.union([
  v.boolean(),
  v.pipe(
    v.picklist(['true', 'false']),
    v.transform((word) => word === 'true'),
  ),
]) as Leaf<boolean>;

/** A list of patterns, or one pattern as text: commas belong to the pattern. */
export const patternList = (isValid: (item: string) => boolean) =>
  v.pipe(
    v.union([
      v.pipe(
        v.string(),
        v.transform((one) => [one]),
      ),
      v.array(v.string()),
    ]),
    v.array(v.pipe(v.string(), v.check(isValid))),
  ) as Leaf<string[]>;

export const isContainerSelector = (text: string): boolean => CONTAINER_SELECTOR.test(text);
export const CONTAINER_SELECTORS = 'a list of name=…, image=… or label=…, with * as wildcard';

/** `include` and `exclude`. @param descriptions of the two options */
export const containerFilterOptions = (descriptions: {
  readonly include: string;
  readonly exclude: string;
}) => {
  const selectors = optional(textList(isContainerSelector));
  return v.optional(
    v.strictObject({
      include: option(descriptions.include, { allowed: CONTAINER_SELECTORS }, selectors),
      exclude: option(descriptions.exclude, { allowed: CONTAINER_SELECTORS }, selectors),
    }),
  );
};

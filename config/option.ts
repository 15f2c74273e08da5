/** What options are made of: the shapes of their values, and what else is known of them. */
import * as v from 'valibot';
import { CONTAINER_SELECTOR } from '../collectors/shared/container-filter.ts';
import { DURATION, parseDuration } from './duration.ts';
import { parseSize, SIZE } from './size.ts';

/** What is known of an option besides the shape of its value. */
export interface OptionMetadata {
  /** What is allowed, as the end of "expected …". */
  readonly allowed: string;
  /** The values, where there are few. */
  readonly values?: readonly string[];
  /** What a wrong item could have been meant as, where it is not one of few values. */
  readonly choices?: readonly string[];
  /** Placeholder of the value in `--help`; an option without one has no flag. */
  readonly flag?: string;
  /** OpenTelemetry's own variable for it. */
  readonly otel?: string;
  /** From the form of OpenTelemetry's variable to ours. */
  readonly fromOtel?: (value: string) => string;
  /** Never shown. */
  readonly secret?: boolean;
}

/** What an agent is for. */
export const scopeNames = ['host', 'project', 'pod', 'self'] as const;
export type ScopeName = (typeof scopeNames)[number];

export type Leaf<T> = v.GenericSchema<unknown, T>;

/** What is known of an option besides the shape of its value. */
export function optionMetadata(schema: v.GenericSchema): OptionMetadata {
  const { facts } = v.getMetadata(schema as Parameters<typeof v.getMetadata>[0]) as { facts: OptionMetadata };
  return facts;
}

/** An option: its value's schema with description and facts. */
export const option = <T>(description: string, facts: OptionMetadata, schema: Leaf<T>) =>
  v.pipe(schema, v.description(description), v.metadata({ facts }));

export const optional = <T>(leaf: Leaf<T>) => v.optional(leaf) as Leaf<T | undefined>;

export const requiredText = v.string() as Leaf<string>;
export const optionalText = v.optional(v.string()) as Leaf<string | undefined>;
export const oneOf = <const T extends readonly string[]>(values: T) => v.picklist(values) as Leaf<T[number]>;
export const matching = (pattern: RegExp) => v.pipe(v.string(), v.regex(pattern)) as Leaf<string>;
/** A list, or one string with commas as flags and variables give it. */
const items = v.union([
  v.pipe(
    v.string(),
    v.transform((joined) => joined.split(',').map((item) => item.trim())),
  ),
  v.array(v.string()),
]);

/** A list of some of the values, one at least. */
export const choiceList = <const T extends readonly string[]>(values: T) =>
  v.pipe(items, v.array(v.picklist(values)), v.minLength(1)) as Leaf<T[number][]>;

/** A list of text, each item of which `fits`. */
export const textList = (fits: (item: string) => boolean) =>
  v.pipe(items, v.array(v.pipe(v.string(), v.check(fits)))) as Leaf<string[]>;

/** A duration within bounds, in milliseconds. */
export const durationBetween = (least: number, most: number) =>
  v.pipe(
    v.string(),
    v.regex(DURATION),
    v.transform(parseDuration),
    v.number(),
    v.minValue(least),
    v.maxValue(most),
  ) as Leaf<number>;

/** Text that `fits`. */
export const optionalTextWhere = (fits: (text: string) => boolean) =>
  v.optional(v.pipe(v.string(), v.check(fits))) as Leaf<string | undefined>;

/** A whole number of something, within bounds. */
export const numberBetween = (least: number, most: number) =>
  v.pipe(
    v.union([v.number(), v.pipe(v.string(), v.regex(/^\d+$/), v.transform(Number))]),
    v.integer(),
    v.minValue(least),
    v.maxValue(most),
  ) as Leaf<number>;

/** Bytes, such as 64KiB. */
export const sizeBetween = (least: number, most: number) =>
  v.pipe(
    v.string(),
    v.regex(SIZE),
    v.transform(parseSize),
    v.number(),
    v.minValue(least),
    v.maxValue(most),
  ) as Leaf<number>;

export const booleanValue = v.union([
  v.boolean(),
  v.pipe(
    v.picklist(['true', 'false']),
    v.transform((word) => word === 'true'),
  ),
]) as Leaf<boolean>;

/** Patterns: a list, or one in a string, in which a comma is a comma. */
export const patternList = (fits: (item: string) => boolean) =>
  v.pipe(
    v.union([
      v.pipe(
        v.string(),
        v.transform((one) => [one]),
      ),
      v.array(v.string()),
    ]),
    v.array(v.pipe(v.string(), v.check(fits))),
  ) as Leaf<string[]>;

export const isContainerSelector = (rule: string): boolean => CONTAINER_SELECTOR.test(rule);
export const CONTAINER_SELECTORS = 'a list of name=…, image=… or label=…, with * as wildcard';

/** Which containers something is for. @param what said of those that it is for, and of those that it is not for */
export const containerFilterOptions = (what: { readonly include: string; readonly exclude: string }) =>
  v.optional(
    v.strictObject({
      include: option(
        what.include,
        { allowed: CONTAINER_SELECTORS },
        optional(textList(isContainerSelector)),
      ),
      exclude: option(
        what.exclude,
        { allowed: CONTAINER_SELECTORS },
        optional(textList(isContainerSelector)),
      ),
    }),
  );

/**
 * The templates that users get, for an Elasticsearch without the modules of the real distribution: those of Elastic that
 * they are composed of are stood in for, and types and settings that it does not know become the nearest that it does.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const SHIPPED = join(import.meta.dirname, '../../../config/elastic');

type Json = { readonly [key: string]: unknown };

const keyword = { type: 'keyword' };
const passthrough = (priority: number) => ({ type: 'passthrough', dynamic: true, priority });
const mappings = (properties: Json, more: Json = {}) => ({ template: { mappings: { ...more, properties } } });
const nothing = { template: {} };
const strings = { dynamic_templates: [{ strings: { match_mapping_type: 'string', mapping: keyword } }] };

/** Minimal versions of the component templates that the shipped templates refer to: what the exporter relies on. */
const SUBSTITUTES: Readonly<Record<string, Json>> = {
  'otel@mappings': mappings(
    {
      '@timestamp': { type: 'date' },
      attributes: passthrough(20),
      scope: { properties: { name: keyword, version: keyword, attributes: passthrough(30) } },
      resource: { properties: { attributes: passthrough(40) } },
    },
    { dynamic: false, date_detection: false },
  ),
  'logs-otel@mappings': mappings({
    observed_timestamp: { type: 'date_nanos' },
    severity_number: { type: 'byte' },
    severity_text: keyword,
    event_name: keyword,
    body: { properties: { text: { type: 'text' }, structured: { type: 'flattened' } } },
    trace_id: keyword,
    span_id: keyword,
  }),
  'metrics-otel@mappings': mappings(
    { start_timestamp: { type: 'date_nanos' }, metrics: passthrough(10), unit: keyword },
    {
      dynamic_templates: ['counter', 'gauge'].flatMap((kind) =>
        ['long', 'double'].map((type) => ({ [`${kind}_${type}`]: { mapping: { type } } })),
      ),
    },
  ),
  'traces-otel@mappings': mappings({
    trace_id: keyword,
    span_id: keyword,
    parent_span_id: keyword,
    name: keyword,
    kind: keyword,
    duration: { type: 'long' },
  }),
  'logs@mappings': nothing,
  'logs@settings': nothing,
  'metrics@tsdb-settings': nothing,
  'semconv-resource-to-ecs@mappings': nothing,
  'ecs@mappings': mappings({}, strings),
  'ecs-tsdb@mappings': mappings({}, strings),
};

/** Index templates of Elastic that the shipped templates do not replace. */
const OTHERS: Readonly<Record<string, Json>> = {
  'traces-otel': {
    index_patterns: ['traces-*.otel-*'],
    priority: 120,
    data_stream: {},
    composed_of: ['otel@mappings', 'traces-otel@mappings', 'ecs@mappings'],
  },
  ecs: {
    index_patterns: ['logs-*-*', 'metrics-*-*', 'traces-*-*'],
    priority: 100,
    data_stream: {},
    template: { mappings: strings },
  },
};

/** Types and settings whose modules are missing here, and what replaces them. */
const KNOWN: readonly (readonly [RegExp, string])[] = [
  [/"type": "constant_keyword", "value": "\w+"/, '"type": "keyword"'],
  [/"match_only_text"/, '"text"'],
  [/"index": \{ "look_back_time": "24h" \}/, '"index": {}'],
  [/"index": \{ "mode": "time_series" \}/, '"index": {}'],
];

function shipped(kind: string): [string, Json][] {
  return readdirSync(join(SHIPPED, kind)).map((name) => {
    let text = readFileSync(join(SHIPPED, kind, name), 'utf8');
    for (const [unknown, nearest] of KNOWN) text = text.replace(unknown, nearest);
    return [name.replace('.json', ''), JSON.parse(text)];
  });
}

/** Paths and bodies of the requests, in order. */
export function templates(): (readonly [string, Json])[] {
  const at = (kind: string, all: readonly (readonly [string, Json])[]) =>
    all.map(([name, body]) => [`${kind}/${name}`, body] as const);
  return [
    ...at('_component_template', [...Object.entries(SUBSTITUTES), ...shipped('_component_template')]),
    ...at('_index_template', [...Object.entries(OTHERS), ...shipped('_index_template')]),
  ];
}

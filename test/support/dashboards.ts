/** The Grafana dashboards in config/grafana. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const directory = join(import.meta.dirname, '../../config/grafana');

interface Panel {
  readonly id: number;
  readonly title: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  /** Undefined for a row. */
  readonly targets?: readonly {
    readonly expr: string;
    readonly legendFormat?: string;
    readonly datasource: { readonly type: string };
  }[];
}

export interface Dashboard {
  readonly uid: string;
  readonly panels: readonly Panel[];
  readonly templating: {
    readonly list: readonly { readonly name: string; readonly type: string; readonly query: unknown }[];
  };
  readonly annotations: {
    readonly list: readonly {
      readonly name: string;
      readonly expr: string;
      readonly datasource: { readonly type: string };
    }[];
  };
}

export const dashboards = (): Dashboard[] =>
  readdirSync(directory)
    .filter((name) => name.endsWith('.json'))
    .map((name) => JSON.parse(readFileSync(join(directory, name), 'utf8')));

export interface Query {
  readonly dashboard: string;
  /** Title of the panel or name of the annotation. */
  readonly panel: string;
  readonly expr: string;
  /** Labels in the legend. */
  readonly legend: readonly string[];
}

const labelsIn = (text = ''): string[] => [...text.matchAll(/{{(\w+)}}/g)].map(([, label = '']) => label);

/** All queries of panels and annotations to a type of data source. */
export function queries(type: 'prometheus' | 'loki'): Query[] {
  return dashboards().flatMap(({ uid, panels, annotations }) => [
    ...panels.flatMap(({ title, targets = [] }) =>
      targets
        .filter(({ datasource }) => datasource.type === type)
        .map(({ expr, legendFormat }) => ({
          dashboard: uid,
          panel: title,
          expr,
          legend: labelsIn(legendFormat),
        })),
    ),
    ...annotations.list
      .filter(({ datasource }) => datasource.type === type)
      .map(({ name, expr }) => ({ dashboard: uid, panel: name, expr, legend: [] })),
  ]);
}

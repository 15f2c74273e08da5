/** The current view, from the fragment (#) of the address. */
import { signal } from '@preact/signals';

export const views = ['containers', 'events', 'alerts', 'namespaces', 'host', 'agent'] as const;
export type ViewName = (typeof views)[number];

export interface Route {
  readonly view: ViewName | 'container';
  /** Id of the container; '' in other views. */
  readonly id: string;
}

/** @returns undefined for invalid input, such as a lone `%` */
export function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

function parseRoute(): Route {
  const [view = '', encoded = ''] = location.hash.replace(/^#\/?/, '').split('/');
  const id = decoded(encoded) ?? '';
  if (view === 'container' && id !== '') return { view, id };
  return { view: views.find((name) => name === view) ?? 'containers', id: '' };
}

export const route = signal<Route>(parseRoute());

addEventListener('hashchange', () => {
  route.value = parseRoute();
  scrollTo(0, 0);
});

export const hrefOf = (view: ViewName): string => `#/${view}`;
export const containerHref = (id: string): string => `#/container/${id}`;

export function go(href: string): void {
  location.hash = href;
}

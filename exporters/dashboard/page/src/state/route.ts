/** Which view is shown: what stands behind # in the address. */
import { signal } from '@preact/signals';

export const views = ['containers', 'events', 'alerts', 'namespaces', 'host', 'agent'] as const;
export type View = (typeof views)[number];

export interface Route {
  readonly view: View | 'container';
  /** Of a container. */
  readonly id: string;
}

/** @returns undefined for what no address has, such as a lone `%` */
export function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

function read(): Route {
  const [view = '', encoded = ''] = location.hash.replace(/^#\/?/, '').split('/');
  const id = decoded(encoded) ?? '';
  if (view === 'container' && id !== '') return { view, id };
  return { view: views.find((name) => name === view) ?? 'containers', id: '' };
}

export const route = signal<Route>(read());

addEventListener('hashchange', () => {
  route.value = read();
  scrollTo(0, 0);
});

export const hrefOf = (view: View): string => `#/${view}`;
export const containerHref = (id: string): string => `#/container/${id}`;

export function go(href: string): void {
  location.hash = href;
}

/** Which view is shown: what stands behind # in the address. */
import { signal } from '@preact/signals';

export const views = ['containers', 'events', 'alerts', 'namespaces', 'host', 'agent'] as const;
export type View = (typeof views)[number];

export interface Route {
  readonly view: View | 'container';
  /** Of a container. */
  readonly id: string;
}

function read(): Route {
  const [view = '', id = ''] = location.hash.replace(/^#\/?/, '').split('/');
  if (view === 'container' && id !== '') return { view, id: decodeURIComponent(id) };
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

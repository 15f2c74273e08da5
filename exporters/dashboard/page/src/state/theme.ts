/** The theme: that of the system, until the user chooses one. */
import { effect, signal } from '@preact/signals';

const KEY = 'portlight.theme';
export type Theme = 'dark' | 'light';

const system = matchMedia('(prefers-color-scheme: light)');
const isTheme = (value: string | null): value is Theme => value === 'dark' || value === 'light';

/** The user's choice; undefined if there is none. */
function chosen(): Theme | undefined {
  const kept = localStorage.getItem(KEY);
  return isTheme(kept) ? kept : undefined;
}

export const theme = signal<Theme>(chosen() ?? (system.matches ? 'light' : 'dark'));

system.addEventListener('change', () => {
  theme.value = chosen() ?? (system.matches ? 'light' : 'dark');
});

effect(() => {
  document.documentElement.dataset.theme = theme.value;
});

export function switchTheme(): void {
  const next = theme.value === 'dark' ? 'light' : 'dark';
  localStorage.setItem(KEY, next);
  theme.value = next;
}

/** A colour variable of the style sheet. */
export const colour = (name: string): string =>
  getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

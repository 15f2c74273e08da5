/** The keyboard: one listener, to which views add what they know. */
import { useEffect, useRef } from 'preact/hooks';

export type Keys = Readonly<Record<string, (event: KeyboardEvent) => void>>;

interface Layer {
  keys: Keys;
}

/** Those of the whole page first; whoever comes later goes before them. */
const layers: Layer[] = [];

const isTyping = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement && target.matches('input:not([type=checkbox]), textarea, select');

/** What Enter has a meaning of its own for. */
const takesEnter = (target: EventTarget | null): boolean =>
  target instanceof Element && target.matches('a[href], button, summary, select, input');

addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  // An open dialog has the keyboard to itself.
  if (document.querySelector('dialog[open]') !== null) return;
  if (isTyping(event.target)) {
    if (event.key === 'Escape') (event.target as HTMLElement).blur();
    return;
  }
  if (event.key === 'Enter' && takesEnter(event.target)) return;
  for (const { keys } of layers.toReversed()) {
    const act = keys[event.key];
    if (act === undefined) continue;
    event.preventDefault();
    act(event);
    return;
  }
});

/**
 * While the component is shown.
 * @param isWholePage whether views can have another meaning for the same key
 */
export function useKeys(keys: Keys, isWholePage = false): void {
  const layer = useRef<Layer>({ keys });
  layer.current.keys = keys;
  useEffect(() => {
    const mine = layer.current;
    if (isWholePage) layers.unshift(mine);
    else layers.push(mine);
    return () => void layers.splice(layers.indexOf(mine), 1);
  }, [isWholePage]);
}

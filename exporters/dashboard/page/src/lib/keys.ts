/** Keyboard shortcuts: one listener, with a layer of keys for each view. */
import { useEffect, useRef } from 'preact/hooks';

export type KeyBindings = Readonly<Record<string, (event: KeyboardEvent) => void>>;

interface Layer {
  keys: KeyBindings;
}

/** Global keys first; later layers take precedence. */
const layers: Layer[] = [];

const isTyping = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement && target.matches('input:not([type=checkbox]), textarea, select');

/** Elements that handle Enter themselves. */
const handlesEnter = (target: EventTarget | null): boolean =>
  target instanceof Element && target.matches('a[href], button, summary, select, input');

addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  // An open dialog handles all keys.
  if (document.querySelector('dialog[open]') !== null) return;
  if (isTyping(event.target)) {
    if (event.key === 'Escape') (event.target as HTMLElement).blur();
    return;
  }
  if (event.key === 'Enter' && handlesEnter(event.target)) return;
  for (const { keys } of layers.toReversed()) {
    const act = keys[event.key];
    if (act === undefined) continue;
    event.preventDefault();
    act(event);
    return;
  }
});

/**
 * Registers keys while the component is mounted.
 * @param isGlobal whether views can override the keys
 */
export function useKeys(keys: KeyBindings, isGlobal = false): void {
  const layer = useRef<Layer>({ keys });
  layer.current.keys = keys;
  useEffect(() => {
    const mine = layer.current;
    if (isGlobal) layers.unshift(mine);
    else layers.push(mine);
    return () => void layers.splice(layers.indexOf(mine), 1);
  }, [isGlobal]);
}

/** What the keyboard does. */
import { signal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';

export const isHelpShown = signal(false);

const KEYS: readonly (readonly [string, string])[] = [
  ['1 … 6', 'containers, events, alerts, namespaces, host, agent'],
  ['/', 'search or filter'],
  ['j  k', 'next and last container'],
  ['Enter', 'look at the container'],
  ['Esc', 'back; clear the filter'],
  ['l  e  d', 'of a container: log, events, details'],
  ['p', 'hold the log still, or go on'],
  ['w', 'wrap long lines, or do not'],
  ['G', 'to the end of the log'],
  ['t', 'dark or light'],
  ['?', 'this'],
];

export function KeyboardHelp() {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    if (isHelpShown.value) dialog.current?.showModal();
  }, [isHelpShown.value]);
  return (
    <dialog
      ref={dialog}
      aria-labelledby="help-title"
      onClose={() => {
        isHelpShown.value = false;
      }}
    >
      <h2 id="help-title">Keyboard</h2>
      <dl>
        {KEYS.map(([keys, what]) => (
          <div key={keys}>
            <dt>
              {keys.split('  ').map((key) => (
                <kbd key={key}>{key}</kbd>
              ))}
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <p>On a chart: drag to zoom, double-click to see all of it again.</p>
      <form method="dialog">
        <button type="submit">Close</button>
      </form>
    </dialog>
  );
}

/** The dialog of keyboard shortcuts. */
import { signal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';

export const isHelpShown = signal(false);

const KEYS: readonly (readonly [string, string])[] = [
  ['1 … 6', 'containers, events, alerts, namespaces, host, agent'],
  ['/', 'search or filter'],
  ['j  k', 'next, previous container'],
  ['Enter', 'open the container'],
  ['Esc', 'back, clear the filter'],
  ['l  e  d', 'container: log, events, details'],
  ['p', 'pause or resume the log'],
  ['w', 'wrap long lines'],
  ['G', 'go to the end of the log'],
  ['t', 'dark or light theme'],
  ['?', 'keyboard shortcuts'],
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
      <p>Charts: drag to zoom, double-click to reset.</p>
      <form method="dialog">
        <button type="submit">Close</button>
      </form>
    </dialog>
  );
}

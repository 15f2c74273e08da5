/** A search field; the key / focuses it. */

import type { Signal } from '@preact/signals';
import type { RefObject } from 'preact';

interface SearchProps {
  readonly label: string;
  readonly placeholder: string;
  readonly value: Signal<string>;
  readonly input: RefObject<HTMLInputElement | null>;
}

export function Search({ label, placeholder, value, input }: SearchProps) {
  return (
    <label class="search">
      <span class="unseen">{label}</span>
      <input
        ref={input}
        type="search"
        placeholder={placeholder}
        value={value.value}
        onInput={(event) => {
          value.value = event.currentTarget.value;
        }}
      />
      <kbd aria-hidden="true">/</kbd>
    </label>
  );
}

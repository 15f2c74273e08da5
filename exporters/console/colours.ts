/** When and how output is coloured: on a terminal, unless NO_COLOR is set, and elsewhere where FORCE_COLOR is. */
import type { Writable } from 'node:stream';
import { styleText } from 'node:util';

export type Style = Parameters<typeof styleText>[0];
/** Gives a text a colour, or leaves it as it is. */
export type Paint = (style: Style, text: string) => string;

/** https://no-color.org and https://force-color.org, as Node heeds them. */
export function paintFor(stream: Writable): Paint {
  const mark = styleText('bold', '.', { stream: stream as NodeJS.WritableStream });
  return mark === '.'
    ? (_, text) => text
    : (style, text) => styleText(style, text, { validateStream: false });
}

/** A container keeps its colour, so that its lines can be told at a glance. */
const NAME_COLOURS: readonly Style[] = ['cyan', 'magenta', 'blue', 'green', 'yellow'];

export function colourOf(name: string): Style {
  let hash = 0;
  for (const letter of name) hash = (hash * 31 + letter.codePointAt(0)!) % 65_521;
  return NAME_COLOURS[hash % NAME_COLOURS.length]!;
}

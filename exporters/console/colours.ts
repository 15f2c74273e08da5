/** Colours output on a terminal unless NO_COLOR is set, and elsewhere if FORCE_COLOR is set. */
import type { Writable } from 'node:stream';
import { styleText } from 'node:util';

export type Style = Parameters<typeof styleText>[0];
/** Colours a text, or returns it unchanged. */
export type Paint = (style: Style, text: string) => string;

/** Node implements https://no-color.org and https://force-color.org. */
export function createPaint(stream: Writable): Paint {
  const mark = styleText('bold', '.', { stream: stream as NodeJS.WritableStream });
  return mark === '.'
    ? (_, text) => text
    : (style, text) => styleText(style, text, { validateStream: false });
}

/** A container's colour depends on its name only, so that its lines are easy to recognise. */
const NAME_COLOURS: readonly Style[] = ['cyan', 'magenta', 'blue', 'green', 'yellow'];

export function colourOf(name: string): Style {
  let hash = 0;
  for (const letter of name) hash = (hash * 31 + letter.codePointAt(0)!) % 65_521;
  return NAME_COLOURS[hash % NAME_COLOURS.length]!;
}

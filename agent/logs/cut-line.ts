/** Cut lines: a line that is too long ends after a whole character. */
import { isUtf8 } from 'node:buffer';
import type { LogLine } from '../../collectors/records/records.ts';

/** Removes the partial character at the end of a line that was cut anywhere. */
export function trimPartialCharacter(line: LogLine): void {
  let last = line.end - 1;
  while (last >= line.start && last > line.end - 4 && (line.source[last]! & 0xc0) === 0x80) last--;
  const first = line.source[last] ?? 0;
  const size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 1;
  if (last >= line.start && last + size > line.end) {
    line.cut += line.end - last;
    line.end = last;
  }
  line.utf8 = isUtf8(line.source.subarray(line.start, line.end));
}

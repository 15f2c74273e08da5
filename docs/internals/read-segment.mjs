/**
 * Lists the batches in segment files of the spool, or extracts one batch as OTLP protobuf. It reads only, and needs
 * nothing but Node.
 *
 *     node read-segment.mjs <segment>...              lists the batches
 *     node read-segment.mjs --extract <n> <segment>   writes the n-th batch to the standard output
 */
import { readFileSync } from 'node:fs';
import { crc32 } from 'node:zlib';

const PREAMBLE = 12;
const HEADER = 24;

/** The batches of a segment, in the order of the file, and its damaged ranges. */
function* entries(bytes) {
  for (let at = PREAMBLE; at < bytes.length; ) {
    const length = at + HEADER <= bytes.length ? bytes.readUInt32LE(at + 4) : 0;
    const end = at + HEADER + length;
    const isIntact =
      bytes.toString('latin1', at, at + 4) === 'PLF1' &&
      end <= bytes.length &&
      crc32(bytes.subarray(at + HEADER, end), crc32(bytes.subarray(at + 4, at + 20))) ===
        bytes.readUInt32LE(at + 20);
    if (isIntact) {
      const records = bytes.readUInt32LE(at + 8);
      const added = new Date(bytes.readDoubleLE(at + 12)).toISOString();
      yield { at, records, added, otlp: bytes.subarray(at + HEADER, end) };
      at = end;
      continue;
    }
    const next = bytes.indexOf('PLF1', at + 1, 'latin1');
    const to = next === -1 ? bytes.length : next;
    yield { at, damaged: to - at };
    at = to;
  }
}

const args = process.argv.slice(2);
const wanted = args[0] === '--extract' ? Number(args.splice(0, 2)[1]) : undefined;
if (args.length === 0) throw new Error('usage: node read-segment.mjs [--extract <n>] <segment>...');
for (const path of args) {
  const bytes = readFileSync(path);
  const isValid =
    bytes.toString('latin1', 0, 4) === 'PLS1' && crc32(bytes.subarray(0, 8)) === bytes.readUInt32LE(8);
  // Without a valid preamble, Portlight sends the whole file.
  const start = isValid ? bytes.readUInt32LE(4) : PREAMBLE;
  let number = 0;
  if (wanted === undefined) console.log(`${path}: ${bytes.length} bytes, first batch to send at ${start}`);
  for (const { at, records, added, otlp, damaged } of entries(bytes)) {
    if (damaged !== undefined) {
      if (wanted === undefined) console.log(`      at ${at}: ${damaged} damaged bytes`);
      continue;
    }
    number++;
    if (wanted === number) process.stdout.write(otlp);
    if (wanted === undefined)
      console.log(
        `  ${String(number).padStart(3)} at ${at}: ${records} records, ${otlp.length} bytes, added ${added}${at < start ? ', removed' : ''}`,
      );
  }
}

/** Prints records for a person: lines and events as they come, and a table of containers each round. */
import type { Writable } from 'node:stream';
import { stripVTControlCharacters, styleText } from 'node:util';
import { decodeLogs, type JsonAnyValue, type JsonLogRecord } from '../../agent/otlp/decode.ts';
import { type Batch, type LogBatch, type MetricBatch, Severity } from '../../agent/records.ts';
import type { Exporter } from '../exporter.ts';
import { cells, columns, rightAligned } from './rows.ts';
import { table } from './table.ts';

/** What is left of control characters without escape sequences; a tab is welcome. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const CONTROLS = /[\u0000-\u0008\u000a-\u001f\u007f]/g;

type Style = Parameters<typeof styleText>[0];

/** A container keeps its colour, so that its lines can be told at a glance. */
const NAME_COLOURS: readonly Style[] = ['cyan', 'magenta', 'blue', 'green', 'yellow'];

function colourOf(name: string): Style {
  let hash = 0;
  for (const letter of name) hash = (hash * 31 + letter.codePointAt(0)!) % 65_521;
  return NAME_COLOURS[hash % NAME_COLOURS.length]!;
}

/** Without control sequences: a log line must not move the cursor of whoever reads it. */
function text(value: JsonAnyValue | undefined): string {
  const bytes = value?.bytesValue;
  const given =
    bytes === undefined ? (value?.stringValue ?? '') : Buffer.from(bytes, 'base64').toString('latin1');
  return stripVTControlCharacters(given).replaceAll(CONTROLS, '');
}

function clock(unixNano: string | undefined): string {
  return new Date(Number(BigInt(unixNano ?? 0) / 1_000_000n)).toISOString().slice(11, 23);
}

/** A hundred images that were there before are no news to whoever looks on. */
const isFound = ({ attributes = [] }: JsonLogRecord): boolean =>
  attributes.some(({ key, value }) => key === 'portlight.inventory.change' && value.stringValue === 'found');

export class ConsoleExporter implements Exporter {
  readonly name = 'console';
  private readonly out: Writable;
  private readonly colours: boolean;
  private closed = false;

  constructor(out: Writable & { hasColors?: () => boolean; isTTY?: boolean } = process.stdout) {
    this.out = out;
    // Whoever read us has gone (`| head`): there is nobody to print for any more.
    out.on('error', () => {
      this.closed = true;
    });
    this.colours = out.isTTY === true && out.hasColors?.() === true;
  }

  export(batch: Batch): Promise<void> {
    const lines =
      batch.signal === 'metrics' ? this.metrics(batch) : batch.signal === 'logs' ? this.logs(batch) : [];
    return new Promise((resolve) => {
      if (lines.length === 0 || this.closed) resolve();
      else this.out.write(`${lines.join('\n')}\n`, () => resolve());
    });
  }

  async stop(): Promise<void> {}

  private logs(batch: LogBatch): string[] {
    const name = String(batch.resource.attributes['container.name'] ?? 'host');
    const requests = decodeLogs(batch.otlp).resourceLogs ?? [];
    const records = requests.flatMap(({ scopeLogs = [] }) =>
      scopeLogs.flatMap(({ logRecords = [] }) => logRecords),
    );
    return batch.kind === 'event'
      ? records.filter((record) => !isFound(record)).map((record) => this.event(record))
      : records.map((record) => this.line(name, record));
  }

  private line(name: string, record: JsonLogRecord): string {
    const stderr = record.attributes?.some(({ value }) => value.stringValue === 'stderr');
    return [
      this.style('dim', clock(record.timeUnixNano)),
      this.style(colourOf(name), name),
      this.style(stderr ? 'red' : 'dim', '|'),
      text(record.body),
    ].join(' ');
  }

  private event(record: JsonLogRecord): string {
    const severity = record.severityNumber ?? Severity.INFO;
    const style: Style = severity >= Severity.ERROR ? 'red' : severity >= Severity.WARN ? 'yellow' : 'bold';
    return `${this.style('dim', clock(record.timeUnixNano))} ${this.style(style, `* ${text(record.body)}`)}`;
  }

  private metrics({ sets }: MetricBatch): string[] {
    const running = sets.filter(({ container }) => container !== undefined && container.pid !== 0);
    if (running.length === 0) return [];
    const rows = running.map(cells).sort((a, b) => (a[0]! < b[0]! ? -1 : 1));
    const [head, ...body] = table(columns, rows, rightAligned);
    return ['', this.style('dim', head!), ...body, ''];
  }

  private style(style: Style, value: string): string {
    return this.colours ? styleText(style, value, { validateStream: false }) : value;
  }
}

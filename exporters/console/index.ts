/** Prints log lines and events as they come, and a table of containers after each round. */

import type { Writable } from 'node:stream';
import { Severity } from '../../collectors/records/records.ts';
import { decodeLogs, type JsonAnyValue, type JsonLogRecord } from '../otlp/wire/decode.ts';
import type { Batch, LogBatch, MetricBatch } from '../shared/batch.ts';
import type { Exporter } from '../shared/exporter.ts';
import { colourOf, createPaint, type Paint, type Style } from './colours.ts';
import { columns, formatRow, rightAligned, usageOf } from './rows.ts';
import { formatTable } from './table.ts';
import { stripControls } from './text.ts';

function text(value: JsonAnyValue | undefined): string {
  const bytes = value?.bytesValue;
  const given =
    bytes === undefined ? (value?.stringValue ?? '') : Buffer.from(bytes, 'base64').toString('latin1');
  return stripControls(given);
}

function clock(unixNano: string | undefined): string {
  return new Date(Number(BigInt(unixNano ?? 0) / 1_000_000n)).toISOString().slice(11, 23);
}

/** Images and volumes that were there before the agent started are not news: their events are not printed. */
const isFoundAtStart = ({ attributes = [] }: JsonLogRecord): boolean =>
  attributes.some(({ key, value }) => key === 'portlight.inventory.change' && value.stringValue === 'found');

export class ConsoleExporter implements Exporter {
  readonly name = 'console';
  private readonly out: Writable;
  private readonly paint: Paint;
  private isClosed = false;

  constructor(out: Writable = process.stdout) {
    this.out = out;
    // The reader of the pipe has exited (`| head`). Without a listener the error would end the process.
    out.on('error', () => {
      this.isClosed = true;
    });
    this.paint = createPaint(out);
  }

  async export(batch: Batch): Promise<void> {
    if (this.isClosed) return;
    const lines =
      batch.signal === 'metrics' ? this.metrics(batch) : batch.signal === 'logs' ? this.logs(batch) : [];
    if (lines.length === 0) return;
    // The callback is also called when the stream fails.
    await new Promise<void>((resolve) => this.out.write(`${lines.join('\n')}\n`, () => resolve()));
  }

  async shutdown(): Promise<void> {}

  private logs(batch: LogBatch): string[] {
    const name = String(batch.resource.attributes['container.name'] ?? 'host');
    const requests = decodeLogs(batch.otlp).resourceLogs ?? [];
    const records = requests.flatMap(({ scopeLogs = [] }) =>
      scopeLogs.flatMap(({ logRecords = [] }) => logRecords),
    );
    return batch.kind === 'event'
      ? records.filter((record) => !isFoundAtStart(record)).map((record) => this.event(record))
      : records.map((record) => this.line(name, record));
  }

  private line(name: string, record: JsonLogRecord): string {
    const stderr = record.attributes?.some(({ value }) => value.stringValue === 'stderr');
    return [
      this.paint('dim', clock(record.timeUnixNano)),
      this.paint(colourOf(name), name),
      this.paint(stderr ? 'red' : 'dim', '|'),
      text(record.body),
    ].join(' ');
  }

  private event(record: JsonLogRecord): string {
    const severity = record.severityNumber ?? Severity.INFO;
    const style: Style = severity >= Severity.ERROR ? 'red' : severity >= Severity.WARN ? 'yellow' : 'bold';
    return `${this.paint('dim', clock(record.timeUnixNano))} ${this.paint(style, `* ${text(record.body)}`)}`;
  }

  private metrics({ sets }: MetricBatch): string[] {
    const running = sets.filter(({ container }) => container !== undefined && container.pid !== 0);
    if (running.length === 0) return [];
    const rows = running
      .map((set) => formatRow(set.container!.name, usageOf(set)))
      .sort((a, b) => (a[0]! < b[0]! ? -1 : 1));
    const [head, ...body] = formatTable(columns, rows, rightAligned);
    return ['', this.paint('dim', head!), ...body, ''];
  }
}

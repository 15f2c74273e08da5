/** Log files as Docker's json-file driver writes them. */

export type LogFormat = 'plain' | 'json' | 'multiline';

const seconds = (index: number): string => String(Math.floor(index / 10_000) % 60).padStart(2, '0');
const nanos = (index: number): string => String((index % 10_000) * 100_000 + 1).padStart(9, '0');

/** One line of a json-file log. */
export const entry = (log: string, index: number): string =>
  `{"log":${JSON.stringify(`${log}\n`)},"stream":"stdout","time":"2026-11-24T05:43:${seconds(index)}.${nanos(index)}Z"}\n`;

/** Size of an entry without its text, in bytes. */
const AROUND = Buffer.byteLength(entry('', 0));
/** Lines of a stack trace and the message before it. */
const STACK = 10;

/** Records in `lines` lines: for peers the message is a record by itself; for the agent it is part of the trace. */
export const recordCounts = (format: LogFormat, lines: number): { ours: number; theirs: number } =>
  format === 'multiline'
    ? { ours: lines / STACK, theirs: (2 * lines) / STACK }
    : { ours: lines, theirs: lines };

/** The texts of a file by line number; `size` is that of an entry where the format does not fix it. */
type Texts = (file: number, size: number) => (index: number) => string;

export const lineTexts: Readonly<Record<LogFormat, Texts>> = {
  plain: (file, size) => (index) =>
    `10.0.${file}.${index % 256} - - 'GET /api/items/${String(index).padStart(8, '0')} HTTP/1.1' 200 `.padEnd(
      size - AROUND,
      'x',
    ),
  json: (file) => (index) =>
    JSON.stringify({
      level: 'info',
      time: Date.UTC(2026, 10, 24, 5, 43, Number(seconds(index))) + Math.floor((index % 10_000) / 10),
      msg: 'request completed',
      method: 'GET',
      path: `/api/${file}/items/${index}`,
      status: 200,
      ms: 12.5,
    }),
  multiline: (file) => (index) => {
    const line = index % STACK;
    if (line === 0) return `order ${index} of shop ${file} failed`;
    if (line === 1) return `java.lang.IllegalStateException: order ${index} is gone`;
    return `\tat com.example.shop.orders.OrderService.handle${line}(OrderService.java:${100 + line})`;
  },
};

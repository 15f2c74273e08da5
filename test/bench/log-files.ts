/** What containers write, as the json-file driver keeps it. */

export type LogFormat = 'plain' | 'json' | 'multiline';

const seconds = (index: number): string => String(Math.floor(index / 10_000) % 60).padStart(2, '0');
const nanos = (index: number): string => String((index % 10_000) * 100_000 + 1).padStart(9, '0');

/** A line of the driver's file. */
export const entry = (log: string, index: number): string =>
  `{"log":${JSON.stringify(`${log}\n`)},"stream":"stdout","time":"2026-11-24T05:43:${seconds(index)}.${nanos(index)}Z"}\n`;

/** What an entry has besides its text, in bytes. */
const AROUND = Buffer.byteLength(entry('', 0));
const STACK = 10;

/** Texts by number, of entries of so many bytes each; those of `multiline` are ten to a record. */
export const texts: Readonly<Record<LogFormat, (size: number) => (index: number) => string>> = {
  plain: (size) => (index) =>
    `10.0.0.${index % 256} - - 'GET /api/items/${String(index).padStart(8, '0')} HTTP/1.1' 200 `.padEnd(
      size - AROUND,
      'x',
    ),
  json: () => (index) =>
    JSON.stringify({
      level: 'info',
      time: Date.UTC(2026, 10, 24, 5, 43, Number(seconds(index))) + Math.floor((index % 10_000) / 10),
      msg: 'request completed',
      method: 'GET',
      path: `/api/items/${index}`,
      status: 200,
      ms: 12.5,
    }),
  multiline: () => (index) =>
    index % STACK === 0
      ? `java.lang.IllegalStateException: order ${index} is gone`
      : `\tat com.example.shop.orders.OrderService.handle${index % STACK}(OrderService.java:${100 + (index % STACK)})`,
};

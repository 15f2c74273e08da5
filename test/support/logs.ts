/** Log records that a receiver received. */
import type { ReceivedLog, Receiver } from './receiver.ts';

/** The log records of a container, in the order of arrival. */
export const linesOf = (receiver: Receiver, name: string): ReceivedLog[] =>
  receiver.logsOf(name).filter(({ scope }) => scope === 'portlight.logs');

export const bodiesOf = (receiver: Receiver, name: string): string[] =>
  linesOf(receiver, name).map(({ body }) => String(body));

/** `line 1`, `line 2`, … */
export const numbered = (count: number): string[] =>
  Array.from({ length: count }, (_, index) => `line ${index + 1}`);

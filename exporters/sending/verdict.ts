/**
 * What became of a request, as the OTLP specification has it.
 * Source: https://opentelemetry.io/docs/specs/otlp/#failures
 */

import type { OwnSpan } from '../shared/own-tracer.ts';

export type Verdict =
  /** Taken, but for `rejected` of its records, which `message` explains. */
  | { readonly kind: 'accepted'; readonly rejected: number; readonly message: string }
  /** The receiver cannot be reached: to be sent again. */
  | { readonly kind: 'away'; readonly message: string }
  /** The receiver wants it sent again, not before `afterMs` where it said so. */
  | { readonly kind: 'retry'; readonly message: string; readonly afterMs: number | undefined }
  /** Never to be sent again as it is; `isContent` where one of its records can be the cause. */
  | { readonly kind: 'refused'; readonly isContent: boolean; readonly message: string }
  /** Refused for its size alone. */
  | { readonly kind: 'too_large'; readonly message: string };

/** Sends ready-made OTLP requests to one target. */
export interface Transport {
  /** Never rejects. @param span of the request, where the agent traces itself: receives the status */
  send(request: Buffer, span?: OwnSpan): Promise<Verdict>;
  close(): void;
}

/** Nobody may keep us away for longer, whatever he says. */
const LONGEST_RETRY_AFTER_MS = 15 * 60_000;

/** @param rejected any number that a receiver can say */
export const accepted = ({ rejected, message }: { rejected: number; message: string }): Verdict => ({
  kind: 'accepted',
  rejected: Number.isFinite(rejected) ? Math.max(0, rejected) : 0,
  message,
});

export const away = (message: string): Verdict => ({ kind: 'away', message });

export const retry = (message: string, afterMs?: number): Verdict => ({
  kind: 'retry',
  message,
  afterMs: afterMs === undefined ? undefined : Math.max(0, Math.min(afterMs, LONGEST_RETRY_AFTER_MS)),
});

export const refused = (message: string, isContent: boolean): Verdict => ({
  kind: 'refused',
  isContent,
  message,
});

export const tooLarge = (message: string): Verdict => ({ kind: 'too_large', message });

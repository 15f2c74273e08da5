/**
 * The result of one request, as the OTLP specification classifies answers.
 * Source: https://opentelemetry.io/docs/specs/otlp/#failures
 */

import type { OwnSpan } from '../shared/own-tracer.ts';

export type SendResult =
  /** The receiver accepted the request, except for `rejected` of its records. `message` gives the reason. */
  | { readonly kind: 'accepted'; readonly rejected: number; readonly message: string }
  /** The receiver did not answer: send the request again. */
  | { readonly kind: 'unreachable'; readonly message: string }
  /** The receiver asks for a retry, not before `afterMs` where it gave a time. */
  | { readonly kind: 'retry'; readonly message: string; readonly afterMs: number | undefined }
  /**
   * The receiver refused the request for good. `isContent` is true where one of its records can be the cause.
   */
  | { readonly kind: 'refused'; readonly isContent: boolean; readonly message: string }
  /** The receiver refused the request for its size. */
  | { readonly kind: 'too_large'; readonly message: string };

/** Sends encoded requests to one receiver. */
export interface Transport {
  /** Never rejects. @param span of the request, where the agent traces itself: it gets the status */
  send(request: Buffer, span?: OwnSpan): Promise<SendResult>;
  close(): void;
}

/** A receiver can ask for a longer pause, but does not get one. */
const MAX_RETRY_AFTER_MS = 15 * 60_000;

/** @param rejected as the receiver sent it, which can be any number */
export const accepted = ({ rejected, message }: { rejected: number; message: string }): SendResult => ({
  kind: 'accepted',
  rejected: Number.isFinite(rejected) ? Math.max(0, rejected) : 0,
  message,
});

export const unreachable = (message: string): SendResult => ({ kind: 'unreachable', message });

export const retry = (message: string, afterMs?: number): SendResult => ({
  kind: 'retry',
  message,
  afterMs: afterMs === undefined ? undefined : Math.max(0, Math.min(afterMs, MAX_RETRY_AFTER_MS)),
});

export const refused = (message: string, isContent: boolean): SendResult => ({
  kind: 'refused',
  isContent,
  message,
});

export const tooLarge = (message: string): SendResult => ({ kind: 'too_large', message });

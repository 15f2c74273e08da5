/** Subscribes to the daemon's events, and subscribes again with back-off whenever the connection is lost. */
import type Docker from 'dockerode';
import type { DockerEvent } from '../lifecycle/docker-event.ts';
import type { UnixNano } from '../records/records.ts';
import { Backoff } from '../shared/backoff.ts';
import { readEvents } from './event-stream.ts';

const LONGEST_WAIT_MS = 10_000;

export interface Subscriber {
  /** The time from which events are wanted. */
  readonly resumeTime: () => UnixNano;
  /**
   * Processes what happened before the subscription; the stream is requested already.
   * @param lost rejects when the connection breaks
   */
  readonly catchUp: (since: UnixNano, lost: Promise<never>) => Promise<void>;
  /** Called each time `catchUp` is done, before the first event. */
  readonly onConnected: () => void;
  readonly onEvent: (event: DockerEvent) => void;
  /** Called when a connection is lost that had caught up. */
  readonly onLost: () => void;
  /** Called with each error, also of connecting. */
  readonly onError: (error: unknown) => void;
  /** Called with each line that is no event; reading continues. */
  readonly onMalformed: (error: unknown) => void;
}

export class Subscription {
  /** Whether the stream is open and the subscriber has caught up. */
  isConnected = false;
  private readonly docker: Docker;
  private readonly signal: AbortSignal;
  private readonly subscriber: Subscriber;

  constructor(docker: Docker, signal: AbortSignal, subscriber: Subscriber) {
    this.docker = docker;
    this.signal = signal;
    this.subscriber = subscriber;
  }

  /** Stays subscribed until the signal aborts. */
  async run(): Promise<void> {
    const { signal, subscriber } = this;
    const backoff = new Backoff(LONGEST_WAIT_MS, signal);
    while (!signal.aborted) {
      try {
        await this.follow(backoff);
        if (!signal.aborted) throw new Error('the daemon closed the event stream');
      } catch (error) {
        if (signal.aborted) break;
        subscriber.onError(error);
      }
      if (this.isConnected) subscriber.onLost();
      this.isConnected = false;
      await backoff.wait();
    }
    this.isConnected = false;
  }

  /** One connection, until it ends. */
  private async follow(backoff: Backoff): Promise<void> {
    const { docker, subscriber } = this;
    const attempt = new AbortController();
    const signal = AbortSignal.any([this.signal, attempt.signal]);
    try {
      const since = subscriber.resumeTime();
      const events = readEvents(docker, since, signal, subscriber.onMalformed);
      // The stream is requested before the inventory. What happens in between shows in both, and is recognised.
      let next = events.next();
      const lost = new Promise<never>((_, reject) => next.catch(reject));
      lost.catch(() => {});
      await subscriber.catchUp(since, lost);
      backoff.reset();
      this.isConnected = true;
      subscriber.onConnected();
      for (let result = await next; !result.done; result = await next) {
        subscriber.onEvent(result.value);
        next = events.next();
      }
    } finally {
      attempt.abort();
    }
  }
}

/**
 * Simulates a thousand agents and one receiver that goes away and comes back. The code between spool and network is the
 * agent's; time is simulated.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { untilIntervalOffset } from '../../../agent/rounds/interval-offset.ts';
import { BacklogRateLimiter } from '../../../exporters/sending/backlog-rate-limiter.ts';
import { CircuitBreaker, SignalThrottle } from '../../../exporters/sending/circuit-breaker.ts';
import {
  refused,
  type SendResult,
  type Transport,
  unreachable,
} from '../../../exporters/sending/send-result.ts';
import { Sender } from '../../../exporters/sending/sender.ts';
import { Lane, type SendOrder } from '../../../exporters/spool/lane.ts';
import type { Bench, Figure, FigureTarget } from '../bench.ts';
import { runUntil } from '../virtual-time.ts';

const AGENTS = 1000;
const AWAY_FROM_S = 120;
const AWAY_TO_S = 720;
const END_S = 1200;
const INTERVAL_MS = 10_000;
const LOGS_EVERY_MS = 5000;
const ANSWER_MS = 5;
const BACKLOG_RATE = 1024 * 1024;
const LONGEST_WAIT_MS = 30_000;

const ROUND = Buffer.alloc(40_000);
const LINES = Buffer.alloc(10_000);

class SimulatedReceiver {
  readonly requests = new Float64Array(END_S);
  readonly taken = new Float64Array(END_S);
  /** Bytes accepted. */
  bytes = 0;

  async answer(bytes: number): Promise<SendResult> {
    const second = Math.floor(performance.now() / 1000);
    if (second < END_S) this.requests[second]!++;
    await sleep(ANSWER_MS);
    if (second >= AWAY_FROM_S && second < AWAY_TO_S) return unreachable('away');
    if (second >= END_S) return refused('over', false);
    this.taken[second]!++;
    this.bytes += bytes;
    return { kind: 'accepted', rejected: 0, message: '' };
  }
}

/** @returns a function that returns the bytes sent so far */
function startAgent(index: number, receiver: SimulatedReceiver, ending: AbortSignal): () => number {
  const gate = new CircuitBreaker(ending);
  const pace = new BacklogRateLimiter(BACKLOG_RATE);
  const transport: Transport = { send: ({ length }) => receiver.answer(length), close() {} };
  const lane = (order: SendOrder) =>
    new Lane({
      directory: undefined,
      order,
      maxMemoryBytes: 64 * 1024 * 1024,
      maxSegmentAgeMs: 3_600_000,
      freeSpace: () => true,
      isReplayable: false,
      dropsWhenFull: true,
      onDropped: () => {},
      onDamage: () => {},
      onError: () => {},
    });
  const lanes = { metrics: lane('newest'), logs: lane('oldest') };
  for (const one of Object.values(lanes)) {
    const sender = new Sender({
      lane: one,
      transport,
      breaker: gate,
      throttle: new SignalThrottle(ending),
      limiter: pace,
      halve: () => undefined,
      countRecords: () => 1,
      onSent: () => {},
      onRetry: () => {},
      onDropped: () => {},
      quarantine: () => {},
    });
    void sender.run(ending);
  }
  let added = 0;
  const every = async (to: Lane, batch: Buffer, first: number, interval: number) => {
    await sleep(first);
    while (!ending.aborted) {
      added += batch.length;
      void to.add(batch, 1);
      await sleep(interval);
    }
  };
  void every(
    lanes.metrics,
    ROUND,
    untilIntervalOffset(`host-${index}`, INTERVAL_MS, Date.now()),
    INTERVAL_MS,
  );
  // Log lines arrive at random moments.
  void every(lanes.logs, LINES, Math.random() * LOGS_EVERY_MS, LOGS_EVERY_MS);
  return () => added;
}

/** A client without jitter, as many are. */
function startRude(receiver: SimulatedReceiver, ending: AbortSignal): () => number {
  let added = 0;
  const signal = async (batch: Buffer, interval: number) => {
    const waiting: Buffer[] = [];
    const send = async () => {
      let wait = 1000;
      for (;;) {
        const [first] = waiting;
        if (first === undefined || ending.aborted) return;
        if ((await receiver.answer(first.length)).kind === 'accepted') {
          waiting.shift();
          wait = 1000;
        } else {
          await sleep(wait);
          wait = Math.min(wait * 2, LONGEST_WAIT_MS);
        }
      }
    };
    let sending = Promise.resolve();
    while (!ending.aborted) {
      await sleep(interval);
      added += batch.length;
      waiting.push(batch);
      sending = sending.then(send);
    }
  };
  void signal(ROUND, INTERVAL_MS);
  void signal(LINES, LOGS_EVERY_MS);
  return () => added;
}

const mean = (values: Float64Array, from: number, to: number) =>
  values.subarray(from, to).reduce((sum, value) => sum + value, 0) / (to - from);
const most = (values: Float64Array, from: number, to: number) => Math.max(...values.subarray(from, to));

export const bench: Bench = {
  title: 'A fleet and its receiver',
  about: `
Queues, senders, back-off and pacing of ${AGENTS.toLocaleString('en-US')} agents in simulated time, with a receiver that is
away from ${AWAY_FROM_S} s to ${AWAY_TO_S} s. The comparison is with as many clients that export at the same moments, double
their back-off without jitter, and send each queued batch in a separate request.`,
  async run() {
    const receiver = new SimulatedReceiver();
    const rude = new SimulatedReceiver();
    const ending = new AbortController();
    const ours = Array.from({ length: AGENTS }, (_, index) => startAgent(index, receiver, ending.signal));
    const theirs = Array.from({ length: AGENTS }, () => startRude(rude, ending.signal));
    await runUntil(END_S * 1000);
    ending.abort();
    const handedOver = (all: readonly (() => number)[]) => all.reduce((sum, added) => sum + added(), 0);
    const row = (what: string, of: (one: SimulatedReceiver) => number, target?: FigureTarget): Figure => ({
      what,
      value: of(receiver),
      unit: '',
      beside: { 'without jitter': of(rude) },
      ...(target === undefined ? {} : { target }),
    });
    const before = most(receiver.requests, 30, AWAY_FROM_S);
    const points = ({ requests }: SimulatedReceiver) =>
      Array.from(requests, (value, second) => [second, value] as const).slice(10);
    return {
      rows: [
        row('requests a second before', ({ requests }) => mean(requests, 30, AWAY_FROM_S)),
        row('most in a second before', ({ requests }) => most(requests, 30, AWAY_FROM_S)),
        row('requests a second while away', ({ requests }) => mean(requests, AWAY_FROM_S + 60, AWAY_TO_S)),
        row('most in a second while away', ({ requests }) => most(requests, AWAY_FROM_S + 60, AWAY_TO_S)),
        row('most in a second after its return', ({ requests }) => most(requests, AWAY_TO_S, END_S), {
          most: 3 * before,
        }),
        {
          what: 'bytes sent that arrived',
          value: (100 * receiver.bytes) / handedOver(ours),
          unit: '%',
          beside: { 'without jitter': (100 * rude.bytes) / handedOver(theirs) },
          moreIsBetter: true,
          target: { least: 99 },
        },
      ],
      plot: {
        title: `${AGENTS} agents, one receiver that is away`,
        xLabel: 's',
        yLabel: 'requests a second',
        logarithmic: true,
        curves: [
          { name: 'Portlight', points: points(receiver) },
          { name: 'without jitter', points: points(rude) },
        ],
      },
    };
  },
};

/**
 * A clock that jumps from timer to timer, so that minutes of waiting take moments. Import it before any module that takes
 * `setTimeout` and the like from Node's modules.
 */
import { createRequire, syncBuiltinESMExports } from 'node:module';

interface Timer {
  readonly at: number;
  readonly order: number;
  readonly act: () => void;
}

const EPOCH = Date.UTC(2026, 0, 1);
let now = 0;
let order = 0;
/** A heap of timers, the next one first. */
const heap: Timer[] = [];
const cancelled = new Set<Timer>();

const isBefore = (one: Timer, other: Timer): boolean =>
  one.at < other.at || (one.at === other.at && one.order < other.order);

function push(timer: Timer): void {
  heap.push(timer);
  for (let index = heap.length - 1; index > 0; ) {
    const parent = (index - 1) >> 1;
    if (!isBefore(heap[index]!, heap[parent]!)) break;
    [heap[index], heap[parent]] = [heap[parent]!, heap[index]!];
    index = parent;
  }
}

function pop(): Timer | undefined {
  const [first] = heap;
  const last = heap.pop();
  if (first === undefined || heap.length === 0) return first;
  heap[0] = last!;
  for (let index = 0; ; ) {
    const left = index * 2 + 1;
    let least = index;
    for (const child of [left, left + 1])
      if (child < heap.length && isBefore(heap[child]!, heap[least]!)) least = child;
    if (least === index) return first;
    [heap[index], heap[least]] = [heap[least]!, heap[index]!];
    index = least;
  }
}

function begin(act: () => void, ms: number): Timer {
  const timer = { at: now + Math.max(0, ms), order: order++, act };
  push(timer);
  return timer;
}

const realImmediate = globalThis.setImmediate;
const require = createRequire(import.meta.url);

Object.assign(globalThis, {
  setTimeout: (act: () => void, ms = 0) => Object.assign(begin(act, ms), { unref() {}, ref() {} }),
  clearTimeout: (timer: Timer | undefined) => void (timer !== undefined && cancelled.add(timer)),
});
performance.now = () => now;
Date.now = () => EPOCH + now;
require('node:timers/promises').setTimeout = (ms: number) =>
  new Promise<void>((resolve) => void begin(resolve, ms));
syncBuiltinESMExports();

/** Runs every timer that is due up to `end`, ms from the start. */
export async function runUntil(end: number): Promise<void> {
  for (;;) {
    // Promises that follow from the last timer.
    await new Promise((resolve) => realImmediate(resolve));
    while (heap[0] !== undefined && heap[0].at <= end && heap[0].at <= now) pop()!.act();
    const next = heap[0];
    if (next === undefined || next.at > end) break;
    if (cancelled.delete(next)) {
      pop();
      continue;
    }
    now = next.at;
    pop()!.act();
  }
  now = end;
}

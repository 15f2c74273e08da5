/** Programs whose memory grows until the kernel kills them. */
import {
  block,
  Cache,
  eachSecond,
  KIB,
  MIB,
  MINUTE,
  objects,
  Pool,
  random,
  release,
  table,
  wait,
} from './memory.mjs';

/** @type {unknown[]} */
const leaked = [];

/** @param {number} bytes */
const leak = (bytes) => void leaked.push(objects(bytes));

export const steady = () => eachSecond(() => leak(57 * KIB));

export const slow = () => eachSecond(() => leak(20 * KIB));

export const fast = () => eachSecond(() => leak(152 * KIB));

export async function noisy() {
  for (;;) {
    const inFlight = block(random(16 * MIB));
    const seconds = 1 + random(8);
    leak(seconds * 40 * KIB);
    await wait(seconds);
    release(inFlight);
  }
}

export async function steps() {
  for (;;) {
    await wait(2 * MINUTE);
    leak(5 * MIB);
  }
}

export async function bursts() {
  for (;;) {
    await wait(20 + random(100));
    leak((1 + random(7)) * MIB);
  }
}

/** Request bodies become garbage, which V8 collects once there are 64 MiB; some are kept. */
export const underGc = () =>
  eachSecond(() => {
    for (let count = 0; count < 7; count++) block(64 * KIB);
    leaked.push(block(29 * KIB));
  });

/** Sessions live long enough to become old before they become garbage. */
export async function underHeapGc() {
  /** @type {unknown[]} */
  const sessions = [];
  await eachSecond(() => {
    sessions.push(table(400 * KIB));
    if (sessions.length > 15) sessions.shift();
    leak(11 * KIB);
  });
}

export async function afterCalm() {
  leak(20 * MIB);
  await wait(17 * MINUTE);
  await eachSecond(() => leak(60 * KIB));
}

export async function afterWarmUp() {
  const cache = new Cache(40 * MIB, 2 * MINUTE);
  await eachSecond(() => {
    cache.step();
    leak(36 * KIB);
  });
}

/** Each request takes longer, because of the data that earlier requests left, and leaves more. */
export const accelerating = () => eachSecond((elapsed) => leak(elapsed * 55));

export async function slowThenFast() {
  await eachSecond(() => leak(5 * KIB), 22 * MINUTE);
  await eachSecond(() => leak(131 * KIB));
}

/** The more has leaked already, the slower it leaks: the size is proportional to the square root of time. */
export async function slowing() {
  const pool = new Pool();
  await eachSecond((elapsed) => pool.resize(84 * MIB * Math.sqrt(elapsed / (40 * MINUTE))));
}

/** Leaks at each request; requests come in waves. */
export const withLoad = () =>
  eachSecond((elapsed) => leak(45 * KIB * (1 + Math.sin((2 * Math.PI * elapsed) / (8 * MINUTE)))));

export const untilRestart = () => eachSecond(() => leak(64 * KIB));

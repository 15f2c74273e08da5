/** Programs that never reach their limit, although their memory looks like a leak at times. */
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

/** Data that the program loads at its start. */
const loaded = (/** @type {number} */ bytes) => objects(bytes);

export async function constant() {
  const data = loaded(40 * MIB);
  await eachSecond((elapsed) => {
    data[Math.floor(elapsed) % data.length] = objects(KIB)[0] ?? [];
  });
}

/** @param {number} bytes of garbage per second; V8 collects once there are 64 MiB */
const garbage = (bytes) =>
  eachSecond(() => {
    for (let left = bytes; left > 0; left -= 64 * KIB) block(Math.min(left, 64 * KIB));
  });

export const gcShort = () => garbage(6.4 * MIB);

export const gcMiddle = () => garbage(437 * KIB);

export const gcYoung = () => garbage(84 * KIB);

export async function gcLong() {
  for (;;) {
    block(252 * KIB);
    await wait(3);
  }
}

/** Sessions live long enough to become old before they become garbage. */
export async function heapGcLong() {
  const data = loaded(15 * MIB);
  /** @type {unknown[]} */
  const sessions = [];
  for (;;) {
    sessions.push(table(200 * KIB));
    if (sessions.length > 15) sessions.shift();
    data[0] = [sessions.length];
    await wait(2);
  }
}

/** @param {number} bytes @param {number} seconds after which 63 % of it is filled */
async function warmUp(bytes, seconds) {
  const cache = new Cache(bytes, seconds);
  await eachSecond(() => cache.step());
}

export const warmUp50 = () => warmUp(34 * MIB, 5 * MINUTE);

export const warmUp80 = () => warmUp(59 * MIB, 8 * MINUTE);

export const warmUp93 = () => warmUp(97 * MIB, 6 * MINUTE);

/** Would reach its limit after 9 h. */
export async function slowGrowth() {
  const held = loaded(64 * MIB);
  await eachSecond(() => held.push(...objects(KIB)));
}

export async function sineLoad() {
  const pool = new Pool();
  await eachSecond((elapsed) =>
    pool.resize((58 - 30 * Math.cos((2 * Math.PI * elapsed) / (20 * MINUTE))) * MIB),
  );
}

export async function spikes() {
  const base = new Pool();
  base.resize(25 * MIB);
  for (;;) {
    await wait((3 + random(3)) * MINUTE);
    const report = block(72 * MIB);
    await wait(15);
    release(report);
  }
}

/** Every five minutes, reads its input for 80 s and processes it for 20 s. */
export async function batch() {
  const input = new Pool();
  for (;;) {
    for (let second = 1; second <= 80; second++) {
      input.resize(second * MIB);
      await wait(1);
    }
    await wait(20);
    input.resize(0);
    await wait(200);
  }
}

export async function cacheFlush() {
  const cache = new Pool();
  for (;;) {
    for (let second = 1; second <= 8 * MINUTE; second++) {
      cache.resize((second / (8 * MINUTE)) * 84 * MIB);
      await wait(1);
    }
    await wait(17 * MINUTE);
    cache.resize(0);
  }
}

export async function growthStops() {
  /** @type {unknown[]} */
  const held = [];
  await eachSecond(() => void held.push(objects(48 * KIB)), 15 * MINUTE);
  await eachSecond(() => void objects(48 * KIB));
}

export async function twoLevels() {
  const workers = new Pool();
  for (;;) {
    for (const mebibytes of [33, 84]) {
      const from = workers.held.length * Pool.BLOCK;
      for (let second = 1; second <= MINUTE; second++) {
        workers.resize(from + (mebibytes * MIB - from) * (second / MINUTE));
        await wait(1);
      }
      await wait(14 * MINUTE);
    }
  }
}

/** Sessions start at random, one every three seconds, and last four minutes on average. */
export async function sessions() {
  /** @type {Map<ArrayBuffer, number>} by session, its end */
  const open = new Map();
  await eachSecond((elapsed) => {
    if (random(3) < 1) open.set(block(512 * KIB), elapsed - Math.log(1 - Math.random()) * 4 * MINUTE);
    for (const [session, end] of open) {
      if (end > elapsed) continue;
      open.delete(session);
      release(session);
    }
  });
}

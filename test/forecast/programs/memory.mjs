/** Ways of the programs to allocate memory. */
import { setTimeout as sleep } from 'node:timers/promises';

export const KIB = 1024;
export const MIB = 1024 * KIB;
export const MINUTE = 60;

const KIB_OF_NUMBERS = 124;

/**
 * Objects in V8's heap, as requests leave them behind. The garbage collector frees them.
 *
 * @param {number} bytes
 */
export function objects(bytes) {
  return Array.from({ length: Math.round(bytes / KIB) }, () =>
    Array.from({ length: KIB_OF_NUMBERS }, () => Math.random()),
  );
}

/**
 * One large object in V8's heap. V8 returns its pages to the kernel when it is collected, unlike those of small objects.
 *
 * @param {number} bytes
 */
export const table = (bytes) => Array.from({ length: Math.round(bytes / 8) }, () => Math.random());

/**
 * Memory outside V8's heap, with every page written. The garbage collector or `release` frees it.
 *
 * @param {number} bytes
 */
export const block = (bytes) => new Uint8Array(Math.round(bytes)).fill(1).buffer;

/**
 * Frees a block's memory at once, as native code does.
 *
 * @param {ArrayBuffer} memory
 */
export const release = (memory) => void memory.transfer(0);

/** @param {number} below */
export const random = (below) => Math.random() * below;

/** @param {number} seconds */
export const wait = (seconds) => sleep(seconds * 1000);

/** Seconds since the start of the program. */
export const elapsed = () => performance.now() / 1000;

/**
 * Calls `step` once per second, for `seconds` or forever.
 *
 * @param {(elapsed: number) => void} step
 * @param {number} [seconds]
 */
export async function eachSecond(step, seconds = Number.POSITIVE_INFINITY) {
  for (const end = elapsed() + seconds; elapsed() < end; await wait(1)) step(elapsed());
}

/** Blocks up to a given total size: workers, connections or pages that come and go with the load. */
export class Pool {
  static BLOCK = 256 * KIB;
  /** @type {ArrayBuffer[]} */
  held = [];

  /** @param {number} bytes */
  resize(bytes) {
    const wanted = Math.max(0, Math.round(bytes / Pool.BLOCK));
    while (this.held.length < wanted) this.held.push(block(Pool.BLOCK));
    for (const memory of this.held.splice(wanted)) release(memory);
  }
}

/** A cache of at most `bytes` with random lookups: it fills fast at first, then more slowly. */
export class Cache {
  static ENTRY = 32 * KIB;
  /** @type {Map<number, unknown>} */
  entries = new Map();

  /**
   * @param {number} bytes once every entry has been asked for
   * @param {number} seconds after which 63 % of it is filled
   */
  constructor(bytes, seconds) {
    this.size = Math.round(bytes / Cache.ENTRY);
    this.perSecond = this.size / seconds;
    this.due = 0;
  }

  /** The lookups of one second. */
  step() {
    for (this.due += this.perSecond; this.due >= 1; this.due--) {
      const key = Math.floor(random(this.size));
      if (!this.entries.has(key)) this.entries.set(key, objects(Cache.ENTRY));
    }
  }
}

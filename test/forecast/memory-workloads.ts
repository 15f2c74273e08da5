/** The workloads whose memory is recorded: real programs, about half of which leak. */
import type Docker from 'dockerode';
import { BUSYBOX, NODE } from './images.ts';

export interface MemoryWorkload {
  readonly name: string;
  readonly description: string;
  /** Mebibytes. */
  readonly limit: number;
  readonly image: string;
  readonly command: readonly string[];
  readonly host?: Docker.HostConfig;
}

/** glibc returns blocks of at least this size to the kernel as soon as they are freed. */
export const ENVIRONMENT: readonly string[] = ['MALLOC_MMAP_THRESHOLD_=65536'];

/**
 * A program of `programs/<file>.mjs`. V8's own limit is above the container's, so that the kernel's limit is reached. The
 * young generation is small, so that the recording shows the program's memory.
 */
function program(file: 'leaks' | 'harmless', name: string, flags: readonly string[] = []) {
  const all = ['--max-old-space-size=1024', '--max-semi-space-size=1', ...flags];
  return { image: NODE, command: ['node', ...all, '/programs/run.mjs', file, name] };
}

const leak = (name: string, flags?: readonly string[]) => program('leaks', name, flags);
const harmless = (name: string, flags?: readonly string[]) => program('harmless', name, flags);
const shell = (script: string) => ({ image: BUSYBOX, command: ['sh', '-c', script] });

/** awk that allocates `kibibytes` more every 2 s, `rounds` times. */
const hoard = (kibibytes: number, rounds: number): string =>
  `awk 'BEGIN { for (r = 0; r < ${rounds}; r++) { for (i = 0; i < ${kibibytes}; i++) kept[n++] = sprintf("%960d", n); system("sleep 2") } }'`;

const FOREVER = 1e9;

export const workloads: readonly MemoryWorkload[] = [
  { name: 'leak-steady', description: 'A steady leak', limit: 96, ...leak('steady') },
  { name: 'leak-slow', description: 'A slow, steady leak', limit: 64, ...leak('slow') },
  { name: 'leak-fast', description: 'A fast, steady leak', limit: 128, ...leak('fast') },
  {
    name: 'leak-noisy',
    description: 'A leak below requests that need up to 16 MiB for some seconds',
    limit: 96,
    ...leak('noisy'),
  },
  { name: 'leak-steps', description: '5 MiB are leaked every 2 min', limit: 96, ...leak('steps') },
  {
    name: 'leak-bursts',
    description: '1 to 8 MiB are leaked every 20 s to 2 min',
    limit: 128,
    ...leak('bursts'),
  },
  {
    name: 'leak-under-gc',
    description: 'A leak below a saw-tooth of garbage outside the heap',
    limit: 128,
    ...leak('underGc'),
  },
  {
    name: 'leak-under-heap-gc',
    description: 'A leak below a saw-tooth of old garbage in the heap',
    limit: 128,
    ...leak('underHeapGc', ['--heap-growing-percent=300']),
  },
  {
    name: 'leak-after-calm',
    description: 'A leak that starts after 17 min',
    limit: 96,
    ...leak('afterCalm'),
  },
  {
    name: 'leak-after-warm-up',
    description: 'A leak hidden by a cache that fills up',
    limit: 128,
    ...leak('afterWarmUp'),
  },
  {
    name: 'leak-accelerating',
    description: 'A leak whose rate increases',
    limit: 128,
    ...leak('accelerating'),
  },
  {
    name: 'leak-slow-then-fast',
    description: 'A leak that grows 25 times as fast after 22 min',
    limit: 96,
    ...leak('slowThenFast'),
  },
  {
    name: 'leak-slowing',
    description: 'A leak whose rate decreases, and that still reaches the limit',
    limit: 96,
    ...leak('slowing'),
  },
  {
    name: 'leak-with-load',
    description: 'A leak in proportion to a load with waves of 8 min',
    limit: 96,
    ...leak('withLoad'),
  },
  {
    name: 'leak-restarts',
    description: 'A leak that is restarted after each kill',
    limit: 64,
    ...leak('untilRestart'),
    host: { RestartPolicy: { Name: 'always' } },
  },
  {
    name: 'leak-processes',
    description: 'Three processes that leak; a killed one is restarted',
    limit: 64,
    ...shell(`for worker in 1 2 3; do (while :; do ${hoard(25, FOREVER)}; done) & done; wait`),
  },
  {
    name: 'leak-tmpfs',
    description: 'Files in /dev/shm that are never deleted',
    limit: 64,
    ...shell('while dd if=/dev/zero bs=1k count=200 2>/dev/null >>/dev/shm/files; do sleep 5; done'),
    host: { ShmSize: 1024 ** 3 },
  },
  { name: 'constant', description: 'A large constant amount of data', limit: 96, ...harmless('constant') },
  {
    name: 'gc-short',
    description: 'Saw-tooth of garbage, collected every 10 s',
    limit: 128,
    ...harmless('gcShort'),
  },
  {
    name: 'gc-middle',
    description: 'Saw-tooth of garbage, collected every 2 to 3 min',
    limit: 96,
    ...harmless('gcMiddle'),
  },
  {
    name: 'gc-young',
    description: 'Saw-tooth of garbage, collected when the young generation is full',
    limit: 96,
    ...harmless('gcYoung'),
  },
  {
    name: 'gc-long',
    description: 'Saw-tooth of garbage, collected every 10 to 15 min',
    limit: 88,
    // The young generation does not fill up in that time: its collection would free the garbage early.
    ...harmless('gcLong', ['--min-semi-space-size=16', '--max-semi-space-size=16']),
  },
  {
    name: 'gc-heap-long',
    description: 'Saw-tooth of old garbage in the heap, collected every 10 to 15 min',
    limit: 128,
    ...harmless('heapGcLong', ['--heap-growing-percent=350']),
  },
  {
    name: 'warm-up-50',
    description: 'A cache that fills up to half of the limit',
    limit: 96,
    ...harmless('warmUp50'),
  },
  {
    name: 'warm-up-80',
    description: 'A cache that fills up to 80 % of the limit',
    limit: 96,
    ...harmless('warmUp80'),
  },
  {
    name: 'warm-up-93',
    description: 'A cache that fills up to 93 % of the limit',
    limit: 128,
    ...harmless('warmUp93'),
  },
  {
    name: 'slow-growth',
    description: 'Growth that would reach the limit after 9 h',
    limit: 128,
    ...harmless('slowGrowth'),
  },
  {
    name: 'growth-stops',
    description: 'Steady growth that ends at 60 % of the limit after 15 min',
    limit: 96,
    ...harmless('growthStops'),
  },
  {
    name: 'sine-load',
    description: 'Load that rises and falls in 20 min',
    limit: 128,
    ...harmless('sineLoad'),
  },
  {
    name: 'two-levels',
    description: '15 min of low load, 15 min of high load',
    limit: 128,
    ...harmless('twoLevels'),
  },
  {
    name: 'sessions',
    description: 'Sessions that start and end at random',
    limit: 96,
    ...harmless('sessions'),
  },
  {
    name: 'spikes',
    description: 'Spikes of 15 s up to 85 % of the limit, every few minutes',
    limit: 128,
    ...harmless('spikes'),
  },
  {
    name: 'batch',
    description: 'A job every 5 min that reads its input into memory',
    limit: 128,
    ...harmless('batch'),
  },
  {
    name: 'cache-flush',
    description: 'A cache that is full after 8 min and flushed every 25 min',
    limit: 128,
    ...harmless('cacheFlush'),
  },
  {
    name: 'workers-recycled',
    description: 'Four processes that leak, each replaced every 10 min',
    limit: 96,
    ...shell(
      `for worker in 1 2 3 4; do (sleep $((worker * 150)); while :; do ${hoard(54, 300)}; done) & done; wait`,
    ),
  },
  {
    name: 'page-cache',
    description: 'A file of eight times the limit, each part read twice',
    limit: 64,
    ...shell(
      'dd if=/dev/zero of=/data bs=1M count=512 2>/dev/null; part() { dd if=/data of=/dev/null bs=1M skip=$1 count=1 2>/dev/null; }; while :; do for n in $(seq 8 511); do part $n; part $((n - 8)); sleep 1; done; done',
    ),
  },
  {
    name: 'page-cache-hot',
    description: 'A file of three quarters of the limit, read at random',
    limit: 64,
    ...shell(
      'dd if=/dev/zero of=/data bs=1M count=48 2>/dev/null; while :; do dd if=/data of=/dev/null bs=64k skip=$((RANDOM % 768)) count=1 2>/dev/null; sleep 0.5; done',
    ),
  },
];

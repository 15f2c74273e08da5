/** Summarises the CPU and heap profiles that Node writes. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { formatTable } from '../../exporters/console/table.ts';

const MOST = 15;

interface CallFrame {
  readonly functionName: string;
  readonly url: string;
  readonly lineNumber: number;
}

interface CpuProfile {
  readonly nodes: readonly { readonly id: number; readonly callFrame: CallFrame }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

interface HeapNode {
  readonly callFrame: CallFrame;
  readonly selfSize: number;
  readonly children: readonly HeapNode[];
}

const place = ({ functionName, url, lineNumber }: CallFrame): string =>
  `${functionName || '(anonymous)'} ${url.replace(/^.*\/(?=(node_modules|dist|agent|collectors|exporters)\/)/, '')}:${lineNumber + 1}`;

function ranked(sums: ReadonlyMap<string, number>): [string, number][] {
  return [...sums].sort(([, one], [, other]) => other - one).slice(0, MOST);
}

/** Self time of each function, ms. */
function cpuOf(profile: CpuProfile): Map<string, number> {
  const frames = new Map(profile.nodes.map(({ id, callFrame }) => [id, callFrame]));
  const sums = new Map<string, number>();
  profile.samples.forEach((id, index) => {
    const frame = frames.get(id)!;
    if (frame.functionName === '(idle)') return;
    const at = place(frame);
    sums.set(at, (sums.get(at) ?? 0) + profile.timeDeltas[index]! / 1000);
  });
  return sums;
}

/** Live bytes by allocating function, kB. */
function heapOf(head: HeapNode): Map<string, number> {
  const sums = new Map<string, number>();
  const add = ({ callFrame, selfSize, children }: HeapNode): void => {
    if (selfSize > 0) sums.set(place(callFrame), (sums.get(place(callFrame)) ?? 0) + selfSize / 1000);
    for (const child of children) add(child);
  };
  add(head);
  return sums;
}

/** Prints the top of each profile in a directory. */
export function digest(directory: string): void {
  for (const file of readdirSync(directory)) {
    const parsed = JSON.parse(readFileSync(join(directory, file), 'utf8'));
    const isCpu = file.endsWith('.cpuprofile');
    const sums = isCpu ? cpuOf(parsed as CpuProfile) : heapOf((parsed as { head: HeapNode }).head);
    const total = [...sums.values()].reduce((sum, value) => sum + value, 0);
    const unit = isCpu ? 'ms' : 'kB';
    console.log(`\n${join(directory, file)}: ${total.toFixed(0)} ${unit}`);
    console.log(
      formatTable(
        [unit, 'share', 'where'],
        ranked(sums).map(([at, value]) => [value.toFixed(1), `${((100 * value) / total).toFixed(1)} %`, at]),
        [unit, 'share'],
      ).join('\n'),
    );
  }
}

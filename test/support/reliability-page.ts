/** docs/reliability.md, of what a run found. */
import { cpus, release, totalmem } from 'node:os';

export interface Outcome {
  readonly name: string;
  readonly seconds: number;
  /** What containers wrote. */
  readonly lines: number;
  readonly events: number;
  /** Data points of metrics. */
  readonly points: number;
  /** What came once more, with the same `log.record.uid`. */
  readonly repeats: number;
  /** Log records and events that the receiver refused for good: set aside, or rejected in a partial success. */
  readonly refused: number;
  readonly lost: number;
  /** Bytes. */
  readonly maxRss: number;
  readonly faults: readonly {
    readonly name: string;
    readonly requests: number;
    readonly recoveryMs: number;
  }[];
}

const number = (value: number): string => value.toLocaleString('en-US');
const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;

export function reliabilityPage(outcomes: readonly Outcome[]): string {
  const faults = outcomes.flatMap((outcome) => outcome.faults);
  return `# Reliability

Made by \`npm run test:faults\` on ${cpus().length} cores, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}: a real Docker daemon,
containers that write numbered lines (into files, and through the API), come and go and are measured every second, and
a receiver that fails on command. Every line that the daemon wrote down is looked for among what the receiver took,
what it refused for good (which the agent sets aside and counts), and what it rejected by a partial success.

| what was done | s | lines | events | points | refused for good | repeats, each with its uid | lost | memory |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |
${outcomes
  .map((one) =>
    row([
      one.name,
      number(Math.round(one.seconds)),
      number(one.lines),
      number(one.events),
      number(one.points),
      number(one.refused),
      number(one.repeats),
      number(one.lost),
      `${Math.round(one.maxRss / 2 ** 20)} MiB`,
    ]),
  )
  .join('\n')}

A flipped bit is the one thing that loses lines: those of the batch that it is in, which is set aside as it is.

| fault of the receiver | requests that met it | longest until one was taken again, ms |
| --- | --- | --- |
${faults.map(({ name, requests, recoveryMs }) => row([name, number(requests), number(Math.round(recoveryMs))])).join('\n')}
`;
}

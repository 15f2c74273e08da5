/** Renders docs/reliability.md from the results of a run. */
import { cpus, release, totalmem } from 'node:os';

export interface CampaignResult {
  readonly name: string;
  readonly seconds: number;
  /** Log lines that containers wrote. */
  readonly lines: number;
  readonly events: number;
  /** Data points of metrics. */
  readonly points: number;
  /** Records that arrived again, with the same `log.record.uid`. */
  readonly repeats: number;
  /**
   * Log records and events that the receiver refused: quarantined by the agent, or rejected by a partial
   * success.
   */
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

export function reliabilityPage(outcomes: readonly CampaignResult[]): string {
  const faults = outcomes.flatMap((outcome) => outcome.faults);
  return `# Reliability

\`npm run test:faults\` generates this page. The last run was on ${cpus().length} cores, ${Math.round(totalmem() / 2 ** 30)} GiB of memory, Linux ${release()}, with a
real Docker daemon and a receiver that fails on command. Containers write numbered lines, to files and through the API.
Others start and end. Metrics are collected every second.

The test looks for every line in the daemon's own logs. Each one must be among the records that the receiver accepted,
that it refused (the agent moves these to \`aside/\` and counts them), or that it rejected by a partial success.

| scenario | duration, s | lines | events | points | refused | duplicates, with the same uid | lost | memory |
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

Only a flipped bit loses lines: those of the damaged batch. Its bytes are moved to \`aside/\`.

| fault of the receiver | requests during it | longest recovery, ms |
| --- | --- | --- |
${faults.map(({ name, requests, recoveryMs }) => row([name, number(requests), number(Math.round(recoveryMs))])).join('\n')}
`;
}

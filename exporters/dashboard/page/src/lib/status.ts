/** The state of a container in words, and as a level that decides its sign and colour. */
import type { ContainerSummary } from '../../../api.ts';
import { duration } from './format.ts';

export type StatusLevel = 'good' | 'warn' | 'bad' | 'off';

export function statusLevel({ status, health, exitCode, oomKilled }: ContainerSummary): StatusLevel {
  if (status === 'running') return health === 'unhealthy' ? 'bad' : health === 'starting' ? 'warn' : 'good';
  if (status === 'restarting' || status === 'paused') return 'warn';
  if (status === 'dead' || oomKilled) return 'bad';
  return (exitCode ?? 0) === 0 || status === 'created' ? 'off' : 'bad';
}

/** The health of a running container, else its status with the exit code. */
export function statusText({ status, health, exitCode, oomKilled }: ContainerSummary): string {
  if (status === 'running') return health ?? 'running';
  if (oomKilled) return `${status}, OOM-killed`;
  return exitCode === null || status === 'created' ? status : `${status} (${exitCode})`;
}

export function timeInState(container: ContainerSummary, now: number): string {
  const { status, startedAt, finishedAt, createdAt } = container;
  if (status === 'running' || status === 'paused') return startedAt === null ? '' : duration(now - startedAt);
  const end = finishedAt ?? createdAt;
  return end === null ? '' : `${duration(now - end)} ago`;
}

export const shareOf = (part: number | null | undefined, whole: number | null | undefined): number | null =>
  part === null || part === undefined || !whole ? null : part / whole;

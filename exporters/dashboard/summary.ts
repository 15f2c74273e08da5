/** The summary of a container. */
import type { Container } from '../../collectors/records/records.ts';
import type { AlertMark, ContainerFigures, ContainerSummary } from './api.ts';

const orNull = (time: bigint): number | null => (time === 0n ? null : Number(time / 1_000_000n));

/**
 * @param figures latest usage
 * @param isRemoved whether the container no longer exists
 */
export function summarizeContainer(
  container: Container,
  figures: ContainerFigures | undefined,
  isRemoved = false,
  alerts: readonly AlertMark[] = [],
): ContainerSummary {
  const { id, name, image, labels, health, restarts, exitCode, oomKilled } = container;
  const isRunning = container.pid !== 0 && !isRemoved;
  return {
    id,
    name,
    image,
    project: labels['com.docker.compose.project'] ?? labels['com.docker.stack.namespace'] ?? null,
    service: labels['com.docker.compose.service'] ?? labels['com.docker.swarm.service.name'] ?? null,
    status: isRemoved ? 'removed' : container.status,
    health: isRunning ? (health ?? null) : null,
    restarts: restarts ?? null,
    exitCode: isRunning || container.startedAt === 0n ? null : (exitCode ?? null),
    oomKilled: oomKilled ?? false,
    createdAt: orNull(container.createdAt),
    startedAt: orNull(container.startedAt),
    finishedAt: orNull(container.finishedAt),
    figures: isRunning ? (figures ?? null) : null,
    alerts,
  };
}

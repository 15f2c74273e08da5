/** Lists the daemon's containers, and asks it to describe them. */
import type Docker from 'dockerode';
import type { Container } from '../records/records.ts';
import { Backoff } from '../shared/backoff.ts';
import type { ContainerRegistry } from './container-registry.ts';
import { isConnectionBroken, isConnectionRefused } from './daemon-absence.ts';

/** How many containers are inspected at a time. */
const PARALLEL_INSPECTS = 8;
/** Longest wait between two attempts to describe the container of an event. */
const LONGEST_RETRY_WAIT_MS = 1000;
/** How many answers may break off, or fail while the daemon is connected to, before a description is given up. */
const MAX_BROKEN_ANSWERS = 6;

/** What the daemon has at one moment. */
export interface Snapshot {
  /** Ids of all containers. */
  readonly ids: ReadonlySet<string>;
  /** Copies of those that are observed and could be described: later changes do not show in them. */
  readonly found: ReadonlyMap<string, Container>;
}

export interface InventoryOptions {
  readonly docker: Docker;
  readonly registry: ContainerRegistry;
  readonly isConnected: () => boolean;
  readonly onError: (error: unknown) => void;
  /** Called with each container that the daemon could not describe, and that may exist. */
  readonly onUndescribed: (id: string) => void;
  readonly signal: AbortSignal;
}

export class Inventory {
  private readonly options: InventoryOptions;
  private listedIds: ReadonlySet<string> = new Set();

  constructor(options: InventoryOptions) {
    this.options = options;
  }

  /** Whether the container was on the last complete list, observed or not. */
  isListed(id: string): boolean {
    return this.listedIds.has(id);
  }

  /** Lists all containers and describes the observed ones. */
  async takeSnapshot(): Promise<Snapshot> {
    const { ignored } = this.options.registry;
    const snapshot = await this.listAndDescribe(() => true);
    this.listedIds = snapshot.ids;
    for (const id of ignored) if (!snapshot.ids.has(id)) ignored.delete(id);
    return snapshot;
  }

  /** Lists all containers and describes some. */
  takePartialSnapshot(isWanted: (id: string) => boolean): Promise<Snapshot> {
    return this.listAndDescribe(isWanted);
  }

  /**
   * Describes the container of an event. If the daemon ended after it sent the event, the next daemon is asked: an
   * event without the description would be taken for another run's.
   * @returns undefined if the container does not exist, is not observed, or cannot be described
   * @throws {Error} when the agent stops before
   */
  async describeOrWait(id: string): Promise<Container | undefined> {
    const { registry, isConnected, onError, onUndescribed, signal } = this.options;
    const backoff = new Backoff(LONGEST_RETRY_WAIT_MS, signal);
    for (let brokenAnswers = 0; ; ) {
      try {
        return await registry.inspect(id);
      } catch (error) {
        if (signal.aborted) throw error;
        onError(error);
        if (!isConnectionRefused(error)) {
          // Something can listen for a daemon that is still starting (systemd), and not answer for it.
          const mayComeBack = isConnectionBroken(error) || !isConnected();
          if (!mayComeBack || ++brokenAnswers === MAX_BROKEN_ANSWERS) {
            onUndescribed(id);
            return undefined;
          }
        }
      }
      await backoff.wait();
    }
  }

  /** Describes a container; undefined after an error too, which is reported. */
  async describe(id: string): Promise<Container | undefined> {
    try {
      return await this.options.registry.inspect(id);
    } catch (error) {
      this.options.onError(error);
      this.options.onUndescribed(id);
      return undefined;
    }
  }

  private async listAndDescribe(isWanted: (id: string) => boolean): Promise<Snapshot> {
    const { docker, registry } = this.options;
    const listed = await docker.listContainers({ all: true });
    const ids = new Set(listed.map(({ Id }) => Id));
    const found = new Map<string, Container>();
    const queue = [...ids].filter((id) => !registry.ignored.has(id) && isWanted(id));
    const describeNext = async () => {
      for (let id = queue.pop(); id !== undefined; id = queue.pop()) {
        const container = await this.describe(id);
        if (container !== undefined) found.set(id, { ...container });
      }
    };
    await Promise.all(Array.from({ length: PARALLEL_INSPECTS }, describeNext));
    return { ids, found };
  }
}

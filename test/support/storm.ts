/**
 * Containers that come and go while agent and daemon are killed, and what may be missing of them: the events of the
 * times from which neither the agent nor the daemon remembers anything.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type Docker from 'dockerode';
import { IMAGE } from './docker.ts';

const WORKERS = 3;
/** Highest number of containers at a time. */
const CROWD = 12;
/** Exits on SIGTERM, so that a daemon that comes back does not wait for it. */
const OBEDIENT = 'trap exit TERM; while :; do sleep 1 & wait; done';

/** When a request was under way, ms since the epoch. */
export interface Interval {
  readonly from: number;
  readonly to: number;
}

type Certainty = 'no' | 'yes' | 'perhaps';

/** What the test did to one container, and what it knows of the result. */
export interface StormContainer {
  /** Undefined if the daemon was killed before it answered. */
  id: string | undefined;
  readonly name: string;
  started: Certainty;
  removed: Certainty;
  creation: Interval | undefined;
  start: Interval | undefined;
  removal: Interval | undefined;
}

export class Storm {
  readonly containers: StormContainer[] = [];
  private readonly docker: Docker;
  private readonly crowd: StormContainer[] = [];
  private isOver = false;
  private workers: Promise<void>[] = [];

  constructor(docker: Docker) {
    this.docker = docker;
  }

  start(): void {
    this.workers = Array.from({ length: WORKERS }, () => this.work());
  }

  async stop(): Promise<void> {
    this.isOver = true;
    await Promise.all(this.workers);
  }

  private async work(): Promise<void> {
    while (!this.isOver) {
      try {
        await this.create();
        if (this.crowd.length > CROWD) await this.remove(this.crowd.shift()!);
      } catch {
        // The daemon is away.
        await sleep(50);
      }
    }
  }

  private async create(): Promise<void> {
    const container: StormContainer = {
      id: undefined,
      name: `storm${this.containers.length}`,
      started: 'no',
      removed: 'no',
      creation: undefined,
      start: undefined,
      removal: undefined,
    };
    this.containers.push(container);
    const options = { name: container.name, Image: IMAGE, Cmd: ['sh', '-c', OBEDIENT] };
    const createdFrom = Date.now();
    const { id } = await this.docker.createContainer(options);
    container.creation = { from: createdFrom, to: Date.now() };
    container.id = id;
    container.started = 'perhaps';
    this.crowd.push(container);
    const startedFrom = Date.now();
    try {
      await this.docker.getContainer(id).start();
      container.started = 'yes';
    } finally {
      container.start = { from: startedFrom, to: Date.now() };
    }
  }

  private async remove(container: StormContainer): Promise<void> {
    container.removed = 'perhaps';
    const from = Date.now();
    try {
      await this.docker.getContainer(container.id!).remove({ force: true });
      container.removed = 'yes';
    } finally {
      container.removal = { from, to: Date.now() };
    }
  }
}

/** What an agent receives within this time before it or the daemon is killed can be lost with it, ms. */
export const AT_RISK_MS = 1000;
const POLL_MS = 50;
/** How many events the daemon remembers. */
const REMEMBERED = 256;
const EVENTS_PER_CREATION = 1;
/** The container's start, and the network's connection. */
const EVENTS_PER_START = 2;
/** The container's signal, end and removal, and the end of the network's connection. */
const EVENTS_PER_REMOVAL = 4;

/** A time in which one agent was connected to one daemon and had caught up. */
interface Watch {
  readonly from: number;
  to: number;
  /** Whether the agent was killed at its end, and not the daemon. */
  endedByAgent: boolean;
}

/** When agent and daemon were killed, and when the agent was ready in between. */
export class Outages {
  readonly agentKills: number[] = [];
  private readonly daemonKills: number[] = [];
  private readonly watches: Watch[] = [];
  private open: Watch | undefined;
  private isOver = false;
  private readonly polling: Promise<void>;

  /** @param isReady whether the agent is connected and has caught up; may throw */
  constructor(isReady: () => Promise<boolean>) {
    this.polling = this.poll(isReady);
  }

  /** Call it right before the agent is killed. */
  agentKilled(): void {
    this.agentKills.push(Date.now());
    this.close(true);
  }

  /** Call it right before the daemon is killed. */
  daemonKilled(): void {
    this.daemonKills.push(Date.now());
    this.close(false);
  }

  async stop(): Promise<void> {
    this.isOver = true;
    await this.polling;
  }

  /**
   * The times of which neither agent nor daemon remembers the events: at the end of each daemon's life, from the
   * last moment that an agent has certainly kept, and between two agents, up to the last event that the daemon has
   * forgotten when the second connects.
   */
  blindIntervals(containers: readonly StormContainer[]): Interval[] {
    return this.daemonKills.flatMap((killedAt, index) => {
      const bornAt = this.daemonKills[index - 1] ?? 0;
      const watches = this.watches.filter(({ from }) => from > bornAt && from < killedAt);
      const blind: Interval[] = [];
      let safeUntil = bornAt;
      for (const watch of watches) {
        const gap = { from: safeUntil, to: watch.from };
        const forgottenAt = eventTimes(containers, gap).at(-1 - REMEMBERED);
        if (forgottenAt !== undefined) blind.push({ from: gap.from, to: forgottenAt });
        // An agent that is killed right after it caught up has kept nothing of that.
        const until = watch.to - AT_RISK_MS;
        if (!watch.endedByAgent || until > watch.from) safeUntil = Math.max(safeUntil, until);
      }
      return [...blind, { from: safeUntil, to: killedAt }];
    });
  }

  private close(endedByAgent: boolean): void {
    if (this.open === undefined) return;
    this.open.to = Date.now();
    this.open.endedByAgent = endedByAgent;
    this.open = undefined;
  }

  private async poll(isReady: () => Promise<boolean>): Promise<void> {
    while (!this.isOver) {
      const kills = this.agentKills.length + this.daemonKills.length;
      const ready = await isReady().catch(() => false);
      // An answer that was under way at a kill is of before.
      if (kills === this.agentKills.length + this.daemonKills.length) this.note(ready);
      await sleep(POLL_MS);
    }
  }

  private note(isReady: boolean): void {
    const now = Date.now();
    if (!isReady) this.close(false);
    else if (this.open !== undefined) this.open.to = now;
    else {
      this.open = { from: now, to: now, endedByAgent: false };
      this.watches.push(this.open);
    }
  }
}

const overlaps = (one: Interval, other: Interval): boolean => one.from <= other.to && other.from <= one.to;

/** The latest times at which the events of an interval can have happened, oldest first. */
function eventTimes(containers: readonly StormContainer[], interval: Interval): number[] {
  const times = (request: Interval | undefined, eventCount: number): number[] =>
    request !== undefined && overlaps(request, interval)
      ? Array<number>(eventCount).fill(Math.min(request.to, interval.to))
      : [];
  return containers
    .flatMap(({ creation, start, removal }) => [
      ...times(creation, EVENTS_PER_CREATION),
      ...times(start, EVENTS_PER_START),
      ...times(removal, EVENTS_PER_REMOVAL),
    ])
    .sort((one, other) => one - other);
}

/** Whether a request was under way at a time of which nothing is remembered. */
export const isBlind = (request: Interval | undefined, blind: readonly Interval[]): boolean =>
  request !== undefined && blind.some((interval) => overlaps(request, interval));

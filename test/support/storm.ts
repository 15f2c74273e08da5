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
/** Exits when asked to, so that a daemon that comes back does not wait for it. */
const OBEDIENT = 'trap exit TERM; while :; do sleep 1 & wait; done';

/** When a request was under way, ms since the epoch. */
export interface Interval {
  readonly from: number;
  readonly to: number;
}

type Certainty = 'no' | 'yes' | 'perhaps';

/** What the test itself knows of a container. */
export interface Deed {
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
  readonly deeds: Deed[] = [];
  private readonly docker: Docker;
  private readonly crowd: Deed[] = [];
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
    const deed: Deed = {
      id: undefined,
      name: `storm${this.deeds.length}`,
      started: 'no',
      removed: 'no',
      creation: undefined,
      start: undefined,
      removal: undefined,
    };
    this.deeds.push(deed);
    const options = { name: deed.name, Image: IMAGE, Cmd: ['sh', '-c', OBEDIENT] };
    const createdFrom = Date.now();
    const { id } = await this.docker.createContainer(options);
    deed.creation = { from: createdFrom, to: Date.now() };
    deed.id = id;
    deed.started = 'perhaps';
    this.crowd.push(deed);
    const startedFrom = Date.now();
    try {
      await this.docker.getContainer(id).start();
      deed.started = 'yes';
    } finally {
      deed.start = { from: startedFrom, to: Date.now() };
    }
  }

  private async remove(deed: Deed): Promise<void> {
    deed.removed = 'perhaps';
    const from = Date.now();
    try {
      await this.docker.getContainer(deed.id!).remove({ force: true });
      deed.removed = 'yes';
    } finally {
      deed.removal = { from, to: Date.now() };
    }
  }
}

/** What an agent receives within this time before it or the daemon is killed can be lost with it, ms. */
export const AT_RISK_MS = 1000;
const POLL_MS = 50;
/** The daemon remembers 256 events. A creation with its start makes 3, a removal 4. */
const REMEMBERED = 256;
const EVENTS_PER_CREATION = 3;
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
   * last moment that an agent has certainly kept, and between two agents, if the daemon has forgotten events by then.
   */
  blindIntervals(deeds: readonly Deed[]): Interval[] {
    return this.daemonKills.flatMap((killedAt, index) => {
      const bornAt = this.daemonKills[index - 1] ?? 0;
      const watches = this.watches.filter(({ from }) => from > bornAt && from < killedAt);
      const blind: Interval[] = [];
      let safeUntil = bornAt;
      for (const watch of watches) {
        const gap = { from: safeUntil, to: watch.from };
        if (eventsIn(deeds, gap) > REMEMBERED) blind.push(gap);
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

function eventsIn(deeds: readonly Deed[], interval: Interval): number {
  const count = (requests: (Interval | undefined)[]) =>
    requests.filter((request) => request !== undefined && overlaps(request, interval)).length;
  return (
    count(deeds.map(({ creation }) => creation)) * EVENTS_PER_CREATION +
    count(deeds.map(({ removal }) => removal)) * EVENTS_PER_REMOVAL
  );
}

/** Whether a request was under way at a time of which nothing is remembered. */
export const isBlind = (request: Interval | undefined, blind: readonly Interval[]): boolean =>
  request !== undefined && blind.some((interval) => overlaps(request, interval));

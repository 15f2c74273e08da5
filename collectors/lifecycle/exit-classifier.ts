/** Decides why a container exited, and collects the evidence: from events, and from what others measured. */
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type Attributes,
  type AttributeValue,
  type Container,
  Severity,
  type SeverityNumber,
  type UnixNano,
} from '../records/records.ts';
import type { ClassifiedEvent } from './docker-event.ts';
import { type ExitReason, exitReason, exitSeverity, KILLED, signalOf } from './exit-reason.ts';
import { type ReportedState, runStart } from './reported-state.ts';

/**
 * How long an exit that looks like an OOM kill waits for the daemon to report the kill, ms. The second applies where
 * the kernel killed nothing that this host shows.
 */
const LATE_OOM_MS = 2000;
const UNLIKELY_OOM_MS = 100;
/** Reasons that an OOM kill reported later can replace. */
const OPEN: ReadonlySet<ExitReason> = new Set(['signal', 'stopped', 'oom_killed_by_host']);

/** What others measured that explains an exit. */
export interface ExitEvidence {
  /**
   * Attributes that describe the last moments of the last run.
   * @param since the end of the run before
   */
  lastMomentsOf(container: Container, since: UnixNano): Attributes;
  /** A container's event reported an OOM kill. */
  oomReported(): void;
  /** Whether the kernel just OOM-killed a process on this host. */
  hasKernelKilled(): boolean;
  /**
   * Whether it OOM-killed one that no container's event accounts for.
   * @param at the moment, by performance.now(); now by default
   */
  isHostOutOfMemory(at?: number): boolean;
}

/** What was known at the moment of an exit, and what was reported while the exit waited. */
export interface ExitSnapshot {
  /** By performance.now(). */
  readonly at: number;
  /** Of the last moments. */
  readonly attributes: Attributes;
  readonly isOom: boolean;
}

export interface Exit {
  readonly reason: ExitReason;
  readonly severity: SeverityNumber;
  readonly attributes: Attributes;
  readonly exitCode: number | undefined;
}

const isPodman = ({ resource }: Container): boolean =>
  resource.attributes['container.runtime.name'] === 'podman';

export class ExitClassifier {
  private readonly evidence: ExitEvidence;
  private readonly kills = new PendingOomKills();

  constructor(evidence: ExitEvidence) {
    this.evidence = evidence;
  }

  /** Records an event that is still queued, and that can explain an event before it. */
  anticipateEvent({ id, action, time }: ClassifiedEvent): void {
    if (action === 'oom') {
      this.evidence.oomReported();
      this.kills.recordKill(id, time);
    } else if (action === 'start') this.kills.recordStart(id, time);
  }

  /** As `PendingOomKills.consumeKill`. */
  consumeKill(id: string, time: UnixNano): boolean {
    return this.kills.consumeKill(id, time);
  }

  forgetContainer(id: string): void {
    this.kills.forgetContainer(id);
  }

  /**
   * Waits for a late OOM kill where one can still explain the exit.
   * @returns what was known before the wait, because another run may have started meanwhile; undefined without a wait
   */
  async awaitOomKill(
    state: ReportedState,
    container: Container,
    event: ClassifiedEvent,
    isDaemonAway: boolean,
  ): Promise<ExitSnapshot | undefined> {
    if (container.memoryLimit === 0 || event.exitCode !== KILLED) return undefined;
    const at = performance.now();
    const reason = this.reasonOf(state, container, event, isDaemonAway, undefined);
    // Podman reports no OOM kills.
    if (!OPEN.has(reason) || isPodman(container)) return undefined;
    const attributes = this.lastMomentsOf(state, container);
    const ms = this.evidence.hasKernelKilled() ? LATE_OOM_MS : UNLIKELY_OOM_MS;
    return { at, attributes, isOom: (await this.kills.waitForKill(container.id, ms)) !== undefined };
  }

  /** @param snapshot what was known when the container exited, if the exit waited */
  classifyExit(
    state: ReportedState,
    container: Container,
    event: ClassifiedEvent,
    isDaemonAway: boolean,
    snapshot: ExitSnapshot | undefined,
  ): Exit {
    const { exitCode } = event;
    const reason = this.reasonOf(state, container, event, isDaemonAway, snapshot);
    const attributes: Record<string, AttributeValue> = { 'portlight.exit.reason': reason };
    const signal = signalOf(exitCode);
    if (signal !== undefined) attributes['portlight.exit.signal'] = signal;
    const severity = exitSeverity(reason, exitCode);
    if (severity > Severity.INFO)
      Object.assign(attributes, snapshot?.attributes ?? this.lastMomentsOf(state, container));
    return { reason, severity, attributes, exitCode };
  }

  private lastMomentsOf(state: ReportedState, container: Container): Attributes {
    return this.evidence.lastMomentsOf(container, state.lastTimes.die ?? 0n);
  }

  private reasonOf(
    state: ReportedState,
    container: Container,
    { time, exitCode, isSynthesized }: ClassifiedEvent,
    isDaemonAway: boolean,
    snapshot: ExitSnapshot | undefined,
  ): ExitReason {
    const queuedKill =
      exitCode === KILLED ? this.kills.lastKillIn(container.id, runStart(state) ?? 0n, time) : undefined;
    // The daemon keeps the flag for those that missed the event.
    const flagged = isSynthesized && container.oomKilled ? time : undefined;
    return exitReason({
      time,
      exitCode,
      signals: state.signals,
      stopSignal: container.stopSignal,
      oomAt: snapshot?.isOom ? time : (queuedKill ?? state.oomAt ?? flagged),
      isLimited: container.memoryLimit > 0,
      isHostOutOfMemory: this.evidence.isHostOutOfMemory(snapshot?.at),
      isDaemonAway,
      isUnseen: isSynthesized || isPodman(container),
    });
  }
}

interface Kill {
  readonly time: UnixNano;
  /** When the newest run started that was reported by then. */
  readonly run: UnixNano;
  /** Whether an exit waited for it. */
  readonly isAwaited: boolean;
}

interface ContainerKills {
  startedAt: UnixNano;
  kills: Kill[];
}

/**
 * OOM kills that the daemon reported and whose events are still queued. The daemon learns of an exit and of its OOM
 * kill in different ways: under load it reports the exit, and sometimes the next start, well before the kill.
 */
export class PendingOomKills {
  private readonly byContainer = new Map<string, ContainerKills>();
  private readonly waiting = new Map<string, (time: UnixNano) => void>();

  recordStart(id: string, time: UnixNano): void {
    this.killsOf(id).startedAt = time;
  }

  recordKill(id: string, time: UnixNano): void {
    const { startedAt, kills } = this.killsOf(id);
    const resolveWaiting = this.waiting.get(id);
    kills.push({ time, run: startedAt, isAwaited: resolveWaiting !== undefined });
    resolveWaiting?.(time);
    this.waiting.delete(id);
  }

  /**
   * Removes the kill at that time: its event is processed now.
   * @returns whether an exit waited for it and reported it, though another run may have started since
   */
  consumeKill(id: string, time: UnixNano): boolean {
    const known = this.byContainer.get(id);
    const kill = known?.kills.find((each) => each.time === time);
    if (known !== undefined && kill !== undefined) known.kills = known.kills.filter((each) => each !== kill);
    return kill?.isAwaited === true;
  }

  forgetContainer(id: string): void {
    this.byContainer.delete(id);
  }

  /**
   * The time of the last kill in the run from `begin` to `end` and in no later run; at most `end`, because a kill can
   * be reported later than the exit that it caused.
   */
  lastKillIn(id: string, begin: UnixNano, end: UnixNano): UnixNano | undefined {
    const kill = this.byContainer.get(id)?.kills.findLast(({ time, run }) => time > begin && run <= end);
    return kill === undefined || kill.time < end ? kill?.time : end;
  }

  /** The container's next kill; undefined if none is reported within `ms`. */
  async waitForKill(id: string, ms: number): Promise<UnixNano | undefined> {
    const kill = new Promise<UnixNano>((resolve) => this.waiting.set(id, resolve));
    const time = await Promise.race([kill, sleep(ms, undefined, { ref: false })]);
    this.waiting.delete(id);
    return time;
  }

  private killsOf(id: string): ContainerKills {
    let known = this.byContainer.get(id);
    if (known === undefined) {
      known = { startedAt: 0n, kills: [] };
      this.byContainer.set(id, known);
    }
    return known;
  }
}

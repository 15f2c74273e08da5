/** Why each container ended, and with what evidence: from what was told and heard of it, and what others know. */
import {
  type Attributes,
  type AttributeValue,
  type Container,
  Severity,
  type UnixNano,
} from '../records/records.ts';
import { type DockerEvent, exitCodeOf } from './event-record.ts';
import { type ExitReason, exitReason, exitSeverity, KILLED, signalOf } from './exit-reason.ts';
import { KillSignals } from './kill-signals.ts';
import { type ReportedState, runStart } from './reported-state.ts';

/**
 * How long an end that looks as if it were for want of memory waits for the daemon to say so, ms; the second where
 * the kernel has killed nothing that can be seen from here.
 */
const LATE_OOM_MS = 2000;
const UNLIKELY_OOM_MS = 100;
/** Of a container that was killed: what it may turn out not to have been. */
const OPEN: ReadonlySet<ExitReason> = new Set(['signal', 'stopped', 'oom_killed_by_host']);

/** What others know that bears on a container's end. */
export interface ExitEvidence {
  /**
   * What is known of the last moments of its last run.
   * @param since the end of the run before
   */
  lastMomentsOf(container: Container, since: UnixNano): Attributes;
  /** A container told that a process of it was killed for want of memory. */
  oomReported(): void;
  /** Whether the kernel has just killed something for want of memory. */
  hasKernelKilled(): boolean;
  /**
   * Whether it has killed something that no container told of.
   * @param at when, by performance.now(), where that is not now
   */
  isHostOutOfMemory(at?: number): boolean;
}

/** What was known of an end at that moment, and was heard since. */
export interface Ending {
  /** By performance.now(). */
  readonly at: number;
  /** Of its last moments. */
  readonly attributes: Attributes;
  readonly isOom: boolean;
}

const isPodman = ({ resource }: Container): boolean =>
  resource.attributes['container.runtime.name'] === 'podman';

export class ExitClassifier {
  private readonly evidence: ExitEvidence;
  private readonly kills = new KillSignals();

  constructor(evidence: ExitEvidence) {
    this.evidence = evidence;
  }

  /** Takes note of what is told in its turn, and may explain what is told before it. */
  anticipateEvent(id: string, action: string, time: UnixNano): void {
    if (action === 'oom') {
      this.evidence.oomReported();
      this.kills.recordKill(id, time);
    } else if (action === 'start') this.kills.recordStart(id, time);
  }

  /** A kill for want of memory has its turn; whether an end has told of it, though another run may have begun since. */
  consumeKill(id: string, time: UnixNano): boolean {
    return this.kills.consumeKill(id, time);
  }

  forgetContainer(id: string): void {
    this.kills.forgetContainer(id);
  }

  /**
   * Waits for what may yet be heard of why a container ended, where that is not known.
   * @returns what was known before, where that was waited for: nothing of it is from the run that may have begun
   */
  async awaitOomKill(
    told: ReportedState,
    container: Container,
    event: DockerEvent,
    isDaemonAway: boolean,
  ): Promise<Ending | undefined> {
    if (container.memoryLimit === 0 || exitCodeOf(event) !== KILLED) return undefined;
    const at = performance.now();
    const reason = this.reasonOf(told, container, event, isDaemonAway, undefined);
    // Podman tells of no kills.
    if (!OPEN.has(reason) || isPodman(container)) return undefined;
    const attributes = this.evidenceOf(told, container);
    const ms = this.evidence.hasKernelKilled() ? LATE_OOM_MS : UNLIKELY_OOM_MS;
    return { at, attributes, isOom: (await this.kills.waitForKill(container.id, ms)) !== undefined };
  }

  /** @param ending what was known when the container ended, where that was a while ago */
  classifyExit(
    told: ReportedState,
    container: Container,
    event: DockerEvent,
    isDaemonAway: boolean,
    ending: Ending | undefined,
  ) {
    const exitCode = exitCodeOf(event);
    const reason = this.reasonOf(told, container, event, isDaemonAway, ending);
    const attributes: Record<string, AttributeValue> = { 'portlight.exit.reason': reason };
    const signal = signalOf(exitCode);
    if (signal !== undefined) attributes['portlight.exit.signal'] = signal;
    const severity = exitSeverity(reason, exitCode);
    if (severity > Severity.INFO)
      Object.assign(attributes, ending?.attributes ?? this.evidenceOf(told, container));
    return { reason, severity, attributes, exitCode };
  }

  private evidenceOf(told: ReportedState, container: Container): Attributes {
    return this.evidence.lastMomentsOf(container, told.lastTimes.die ?? 0n);
  }

  private reasonOf(
    told: ReportedState,
    container: Container,
    event: DockerEvent,
    isDaemonAway: boolean,
    ending: Ending | undefined,
  ): ExitReason {
    const time = BigInt(event.timeNano);
    const exitCode = exitCodeOf(event);
    const heard =
      exitCode === KILLED ? this.kills.lastKillIn(container.id, runStart(told) ?? 0n, time) : undefined;
    // The daemon keeps it too, for whoever has missed the event.
    const kept = event.synthesized !== undefined && container.oomKilled ? time : undefined;
    return exitReason({
      time,
      exitCode,
      signals: told.signals,
      stopSignal: container.stopSignal,
      oomAt: ending?.isOom ? time : (heard ?? told.oomAt ?? kept),
      isLimited: container.memoryLimit > 0,
      isHostOutOfMemory: this.evidence.isHostOutOfMemory(ending?.at),
      isDaemonAway,
      isUnseen: event.synthesized !== undefined || isPodman(container),
    });
  }
}

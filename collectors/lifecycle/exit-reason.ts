/** Why a container ended, as far as it can be told from outside. */
import { constants } from 'node:os';
import { Severity, type SeverityNumber, type UnixNano } from '../records/records.ts';

export const DEFAULT_STOP_SIGNAL = 'SIGTERM';

/** How long after it was signalled an end counts as an answer to the signal. */
const SIGNAL_EFFECT_WINDOW: UnixNano = 600_000_000_000n;
/** How long after a process of it was killed for want of memory an end counts as what came of it. */
const OOM_EFFECT_WINDOW: UnixNano = 10_000_000_000n;
/** Exit code of what SIGKILL ended. */
export const KILLED = 137;
/** What the daemon says of a container that ended while it was away itself. */
const UNKNOWN_EXIT_CODE = 255;
/** Exit codes above this are 128 and the number of a signal: wait(2), and every shell's convention. */
const SIGNALLED = 128;

/** What each reason means, for docs and bodies, and how bad it is. */
export const exitReasons = {
  completed: { what: 'ended by itself, with exit code 0', severity: Severity.INFO },
  stopped: { what: 'was told to end, and did', severity: Severity.WARN },
  killed_after_grace: {
    what: 'was told to end, did not in the time that it was given, and was killed',
    severity: Severity.WARN,
  },
  killed: { what: 'was killed by command', severity: Severity.WARN },
  oom_killed: { what: 'was killed by the kernel at its own memory limit', severity: Severity.ERROR },
  oom_killed_by_host: {
    what: 'was killed by the kernel for want of memory on the host, or in the cgroup above it',
    severity: Severity.ERROR,
  },
  signal: {
    what: 'ended by a signal that the daemon did not send: a fault of its own, or a kill(2) from elsewhere',
    severity: Severity.ERROR,
  },
  error: { what: 'ended by itself, with an exit code other than 0', severity: Severity.ERROR },
  daemon_restart: { what: 'ended because the daemon was restarted', severity: Severity.WARN },
  unknown: { what: 'ended while nobody looked, and left no trace of who ended it', severity: Severity.WARN },
} as const satisfies Readonly<Record<string, { what: string; severity: SeverityNumber }>>;

export type ExitReason = keyof typeof exitReasons;

/** Whether somebody told it to end. */
export const isRequestedExit = (reason: ExitReason): boolean =>
  ['stopped', 'killed', 'killed_after_grace', 'daemon_restart'].includes(reason);

/** An end with exit code 0 is as good as any, unless the kernel had a part in it. */
export function exitSeverity(reason: ExitReason, exitCode: number | undefined): SeverityNumber {
  const { severity } = exitReasons[reason];
  return exitCode === 0 && isRequestedExit(reason) ? Severity.INFO : severity;
}

/** A signal of which the daemon does not say which (Podman). */
export const UNKNOWN_SIGNAL = '';

/** Whether it ended because it was told to, in time or not. */
export const isStopReason = (reason: ExitReason | undefined): boolean =>
  reason === 'stopped' || reason === 'killed_after_grace';

export interface SentSignal {
  /** As `signalName` gives it. */
  readonly signal: string;
  readonly at: UnixNano;
}

export interface ExitFacts {
  readonly time: UnixNano;
  /** Undefined where it is not known. */
  readonly exitCode: number | undefined;
  /** What the daemon sent to it in this run, in order. */
  readonly signals: readonly SentSignal[];
  readonly stopSignal: string;
  /** When the kernel last killed a process of it for want of memory, in this run. */
  readonly oomAt: UnixNano | undefined;
  /** Whether it has a memory limit of its own. */
  readonly isLimited: boolean;
  /** Whether the kernel has just killed something on this host for want of memory that no container told of. */
  readonly isHostOutOfMemory: boolean;
  /** Whether the daemon was away at that time, or just coming back. */
  readonly isDaemonAway: boolean;
  /** Whether nobody would have told of a signal: the end itself was concluded, or it is Podman's. */
  readonly isUnseen: boolean;
}

/** `9`, `KILL`, `SIGKILL` → `SIGKILL`: daemons and clients have all three. */
export function signalName(signal: string | number): string {
  const text = String(signal).toUpperCase();
  if (!/^\d+$/.test(text)) return text.startsWith('SIG') ? text : `SIG${text}`;
  const found = Object.entries(constants.signals).find(([, number]) => number === Number(text));
  return found?.[0] ?? `SIG${text}`;
}

/** The signal that an exit code stands for; undefined where it stands for none. */
export function signalOf(exitCode: number | undefined): string | undefined {
  if (exitCode === undefined || exitCode <= SIGNALLED) return undefined;
  const number = exitCode - SIGNALLED;
  return Object.entries(constants.signals).find(([, known]) => known === number)?.[0];
}

export function exitReason(facts: ExitFacts): ExitReason {
  const { time, exitCode, oomAt } = facts;
  const polite = new Set(['SIGTERM', 'SIGINT', facts.stopSignal]);
  const own = signalOf(exitCode);
  // What it has died of, it was sent to die of, whatever that is for.
  const ending = new Set([...polite, 'SIGKILL', UNKNOWN_SIGNAL, own]);
  const signals = facts.signals.filter(
    ({ signal, at }) => ending.has(signal) && time - at < SIGNAL_EFFECT_WINDOW,
  );
  const isKill = ({ signal }: SentSignal) =>
    signal === UNKNOWN_SIGNAL ? exitCode === KILLED : !polite.has(signal);
  const wasKilled = signals.some(isKill);
  // One that it died of, and that nobody sent, is what it died of.
  const isFault =
    own !== undefined &&
    exitCode !== KILLED &&
    !facts.signals.some(({ signal }) => signal === own || signal === UNKNOWN_SIGNAL);
  const isOrderedEnd = signals.length > 0 && !isFault;
  if (facts.isDaemonAway && (isOrderedEnd || exitCode === undefined)) return 'daemon_restart';
  // What it was told to do after that is not for want of memory.
  const isOom = oomAt !== undefined && exitCode !== 0 && time - oomAt < OOM_EFFECT_WINDOW;
  if (isOom && !signals.some(({ at }) => at > oomAt))
    return facts.isLimited ? 'oom_killed' : 'oom_killed_by_host';
  if (isOrderedEnd) {
    if (!wasKilled) return 'stopped';
    return isKill(signals[0]!) ? 'killed' : 'killed_after_grace';
  }
  if (exitCode === undefined || (facts.isUnseen && exitCode === UNKNOWN_EXIT_CODE)) return 'unknown';
  if (exitCode === 0) return 'completed';
  if (exitCode === KILLED && facts.isHostOutOfMemory) return 'oom_killed_by_host';
  if (own === undefined) return 'error';
  return facts.isUnseen && (polite.has(own) || exitCode === KILLED) ? 'unknown' : 'signal';
}

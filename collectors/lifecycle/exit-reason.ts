/** Why a container exited, as far as the outside shows it. */
import { constants } from 'node:os';
import { Severity, type SeverityNumber, type UnixNano } from '../records/records.ts';

export const DEFAULT_STOP_SIGNAL = 'SIGTERM';

/** How long after a signal an exit counts as its effect. */
const SIGNAL_EFFECT_WINDOW: UnixNano = 600_000_000_000n;
/** How long after an OOM kill of one of its processes a container's exit counts as its effect. */
const OOM_EFFECT_WINDOW: UnixNano = 10_000_000_000n;
/** Exit code after SIGKILL. */
export const KILLED = 137;
/** The daemon's exit code for a container that exited while the daemon was away. */
const UNKNOWN_EXIT_CODE = 255;
/** A higher exit code is 128 plus the number of a signal: wait(2), and the convention of shells. */
const SIGNAL_BASE = 128;

interface ReasonRow {
  /** What happened, in the event's sentence. */
  readonly predicate: string;
  /** The same in more words, for the documentation. */
  readonly description: string;
  readonly severity: SeverityNumber;
}

export const exitReasons = {
  completed: {
    predicate: 'exited',
    description: 'exited on its own with code 0',
    severity: Severity.INFO,
  },
  stopped: {
    predicate: 'stopped on request',
    description: 'was asked to stop, and did',
    severity: Severity.WARN,
  },
  killed_after_grace: {
    predicate: 'killed after the stop timeout',
    description: 'was asked to stop, did not stop in time, and was killed',
    severity: Severity.WARN,
  },
  killed: {
    predicate: 'killed on request',
    description: 'was killed on request',
    severity: Severity.WARN,
  },
  oom_killed: {
    predicate: 'OOM-killed at its memory limit',
    description: 'was OOM-killed by the kernel at its own memory limit',
    severity: Severity.ERROR,
  },
  oom_killed_by_host: {
    predicate: 'OOM-killed because the host was out of memory',
    description: 'was OOM-killed by the kernel because the host, or a parent cgroup, was out of memory',
    severity: Severity.ERROR,
  },
  signal: {
    predicate: 'terminated by a signal',
    description:
      'was terminated by a signal that the daemon did not send: its own fault, or a kill(2) from elsewhere',
    severity: Severity.ERROR,
  },
  error: {
    predicate: 'exited',
    description: 'exited on its own with a code other than 0',
    severity: Severity.ERROR,
  },
  daemon_restart: {
    predicate: 'exited because the daemon restarted',
    description: 'exited because the daemon restarted',
    severity: Severity.WARN,
  },
  unknown: {
    predicate: 'exited for an unknown reason',
    description: 'exited while nothing observed it, and left no trace of the cause',
    severity: Severity.WARN,
  },
} as const satisfies Readonly<Record<string, ReasonRow>>;

export type ExitReason = keyof typeof exitReasons;

/** Whether the exit was requested. */
export const isRequestedExit = (reason: ExitReason): boolean =>
  ['stopped', 'killed', 'killed_after_grace', 'daemon_restart'].includes(reason);

/** The severity of an exit. A requested exit with code 0 is INFO. */
export function exitSeverity(reason: ExitReason, exitCode: number | undefined): SeverityNumber {
  const { severity } = exitReasons[reason];
  return exitCode === 0 && isRequestedExit(reason) ? Severity.INFO : severity;
}

/** A signal that an event does not name (Podman). */
export const UNKNOWN_SIGNAL = '';

/** Whether the container was asked to stop, and exited in time or not. */
export const isStopReason = (reason: ExitReason | undefined): boolean =>
  reason === 'stopped' || reason === 'killed_after_grace';

export interface SentSignal {
  /** As returned by `signalName`. */
  readonly signal: string;
  readonly at: UnixNano;
}

export interface ExitFacts {
  readonly time: UnixNano;
  /** Undefined if unknown. */
  readonly exitCode: number | undefined;
  /** Signals that the daemon sent in this run, in order. */
  readonly signals: readonly SentSignal[];
  readonly stopSignal: string;
  /** When the kernel last OOM-killed a process of this run. */
  readonly oomAt: UnixNano | undefined;
  /** Whether the container has a memory limit. */
  readonly isLimited: boolean;
  /** Whether the kernel just OOM-killed a process on this host that no container's event accounts for. */
  readonly isHostOutOfMemory: boolean;
  /** Whether the daemon was away at that time. */
  readonly isDaemonAway: boolean;
  /** Whether signals are not reported: the exit was concluded, or Podman runs the container. */
  readonly isUnseen: boolean;
}

/** `9`, `KILL`, `SIGKILL` → `SIGKILL`: daemons and clients use all three. */
export function signalName(signal: string | number): string {
  const text = String(signal).toUpperCase();
  if (!/^\d+$/.test(text)) return text.startsWith('SIG') ? text : `SIG${text}`;
  const found = Object.entries(constants.signals).find(([, number]) => number === Number(text));
  return found?.[0] ?? `SIG${text}`;
}

/** The signal that an exit code stands for; undefined if it stands for none. */
export function signalOf(exitCode: number | undefined): string | undefined {
  if (exitCode === undefined || exitCode <= SIGNAL_BASE) return undefined;
  const number = exitCode - SIGNAL_BASE;
  return Object.entries(constants.signals).find(([, known]) => known === number)?.[0];
}

/** Decides the reason of an exit. */
export function exitReason(facts: ExitFacts): ExitReason {
  const { time, exitCode, oomAt } = facts;
  const stopSignals = new Set(['SIGTERM', 'SIGINT', facts.stopSignal]);
  const exitSignal = signalOf(exitCode);
  // Any signal that the exit code stands for can have been sent to end the container.
  const fatal = new Set([...stopSignals, 'SIGKILL', UNKNOWN_SIGNAL, exitSignal]);
  const signals = facts.signals.filter(
    ({ signal, at }) => fatal.has(signal) && time - at < SIGNAL_EFFECT_WINDOW,
  );
  const isKill = ({ signal }: SentSignal) =>
    signal === UNKNOWN_SIGNAL ? exitCode === KILLED : !stopSignals.has(signal);
  const wasKilled = signals.some(isKill);
  // The exit code stands for a signal that nobody sent.
  const isFault =
    exitSignal !== undefined &&
    exitCode !== KILLED &&
    !facts.signals.some(({ signal }) => signal === exitSignal || signal === UNKNOWN_SIGNAL);
  const isRequested = signals.length > 0 && !isFault;
  if (facts.isDaemonAway && (isRequested || exitCode === undefined)) return 'daemon_restart';
  // A signal after the OOM kill is the later cause.
  const isOom = oomAt !== undefined && exitCode !== 0 && time - oomAt < OOM_EFFECT_WINDOW;
  if (isOom && !signals.some(({ at }) => at > oomAt))
    return facts.isLimited ? 'oom_killed' : 'oom_killed_by_host';
  if (isRequested) {
    if (!wasKilled) return 'stopped';
    return isKill(signals[0]!) ? 'killed' : 'killed_after_grace';
  }
  if (exitCode === undefined || (facts.isUnseen && exitCode === UNKNOWN_EXIT_CODE)) return 'unknown';
  if (exitCode === 0) return 'completed';
  if (exitCode === KILLED && facts.isHostOutOfMemory) return 'oom_killed_by_host';
  if (exitSignal === undefined) return 'error';
  return facts.isUnseen && (stopSignals.has(exitSignal) || exitCode === KILLED) ? 'unknown' : 'signal';
}

/** What happened, with the exit code, such as `exited with code 3` or `terminated by SIGSEGV (exit code 139)`. */
export function exitPredicate(reason: ExitReason, exitCode: number | undefined): string {
  const predicate = exitReasons[reason].predicate.replace('a signal', signalOf(exitCode) ?? 'a signal');
  if (exitCode === undefined) return predicate;
  const isPlainExit = reason === 'completed' || reason === 'error';
  return isPlainExit ? `${predicate} with code ${exitCode}` : `${predicate} (exit code ${exitCode})`;
}

/** The displayed lines of a container's log: loaded, followed and paused. */
import { useSignal } from '@preact/signals';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { LogEntry, Logs } from '../../../api.ts';
import { fetchJson, isAbortError } from './api-client.ts';
import { followLines } from './live.ts';

/** Limit of displayed lines. */
const MAX_LINES = 2000;
const PAGE = 500;
/** Delay after a new line before the agent is queried for lines that match a regular expression. */
const PATTERN_MS = 1000;

const SPECIAL = /[\\^$.*+?()[\]{}|]/;

/**
 * The pattern of a search for text. Undefined without a search, and for regular expressions (record-filter.ts): these
 * run in the agent, whose linear engine cannot be made to hang, unlike a browser's.
 */
export const literalPattern = (search: string): RegExp | undefined =>
  search === '' || SPECIAL.test(search) ? undefined : new RegExp(search, 'gi');

export interface LogFilter {
  readonly search: string;
  /** Minimum severity. */
  readonly severity: number;
}

export const keyOf = ({ uid, time, text }: LogEntry): string => uid || `${time} ${text}`;

const merged = (known: readonly LogEntry[], more: readonly LogEntry[]): LogEntry[] => {
  const byKey = new Map([...known, ...more].map((entry) => [keyOf(entry), entry]));
  return [...byKey.values()].sort((a, b) => a.time - b.time || (a.uid < b.uid ? -1 : 1));
};

export function useLogLines(id: string, filter: LogFilter) {
  const [lines, setLines] = useState<readonly LogEntry[]>([]);
  /** The same as `lines`, without the delay of rendering. */
  const shown = useRef<readonly LogEntry[]>([]);
  const waiting = useRef<readonly LogEntry[]>([]);
  /** Whether lines are missing between the displayed and the waiting ones. */
  const hasGap = useRef(false);
  const abort = useRef(new AbortController());
  const reload = useRef(() => {});
  const waitingCount = useSignal(0);
  const skipped = useSignal(0);
  const hasMore = useSignal(false);
  const isPaused = useSignal(false);
  const problem = useSignal('');

  const query = {
    id,
    limit: PAGE,
    grep: filter.search || undefined,
    severity: filter.severity || undefined,
  };
  const show = (entries: readonly LogEntry[]) => {
    shown.current = entries;
    setLines(entries);
  };
  const addWaiting = (entries: readonly LogEntry[]) => {
    const known = new Set(shown.current.map(keyOf));
    waiting.current = merged(waiting.current, entries)
      .filter((entry) => !known.has(keyOf(entry)))
      .slice(-MAX_LINES);
    waitingCount.value = waiting.current.length;
  };
  const append = (entries: readonly LogEntry[]) => {
    const all = merged(shown.current, entries);
    if (all.length > MAX_LINES) hasMore.value = true;
    show(all.slice(-MAX_LINES));
  };
  const reportError = (error: Error) => {
    if (!isAbortError(error)) problem.value = error.message;
  };

  useEffect(() => {
    abort.current = new AbortController();
    const { signal } = abort.current;
    const literal = literalPattern(filter.search);
    const isPattern = filter.search !== '' && literal === undefined;
    let isFirst = true;
    let queryTimer: ReturnType<typeof setTimeout> | undefined;

    const applyAnswer = (answer: Logs) => {
      const newest = merged(shown.current, waiting.current).at(-1)?.time ?? 0;
      // There are more new lines than one answer has.
      const hasMissingLines = answer.hasMore && (answer.lines[0]?.time ?? 0) > newest;
      if (isFirst) {
        isFirst = false;
        hasMore.value = answer.hasMore;
        show(merged(answer.lines, shown.current));
        addWaiting([]);
      } else if (isPaused.peek()) {
        if (hasMissingLines) hasGap.current = true;
        addWaiting(answer.lines);
      } else if (hasMissingLines) {
        hasMore.value = true;
        show(answer.lines);
      } else append(answer.lines);
    };
    const load = () =>
      fetchJson<Logs>('/api/logs', query, signal).then((answer) => {
        problem.value = '';
        applyAnswer(answer);
      }, reportError);
    reload.current = () => {
      isFirst = true;
      hasGap.current = false;
      show([]);
      waiting.current = [];
      waitingCount.value = 0;
      void load();
    };
    reload.current();

    const matches = ({ container, severity, text }: LogEntry) =>
      container === id && severity >= filter.severity && (literal === undefined || text.search(literal) >= 0);
    const ids = [id];
    const unfollow = followLines(
      ids,
      (message) => {
        skipped.value += message.skipped;
        const matching = message.lines.filter(matches);
        if (matching.length === 0) return;
        if (isPattern)
          queryTimer ??= setTimeout(() => {
            queryTimer = undefined;
            void load();
          }, PATTERN_MS);
        else if (isPaused.peek()) addWaiting(matching);
        else append(matching);
      },
      () => void load(),
    );
    return () => {
      abort.current.abort();
      clearTimeout(queryTimer);
      unfollow();
    };
  }, [id, filter]);

  return {
    lines,
    waitingCount,
    skipped,
    hasMore,
    isPaused,
    problem,
    resume() {
      isPaused.value = false;
      if (hasGap.current) reload.current();
      else {
        const more = waiting.current;
        waiting.current = [];
        waitingCount.value = 0;
        append(more);
      }
    },
    /** Loads older lines, and pauses. */
    async loadOlder(): Promise<void> {
      const [first] = shown.current;
      if (first === undefined) return;
      isPaused.value = true;
      try {
        const answer = await fetchJson<Logs>(
          '/api/logs',
          { ...query, until: first.time },
          abort.current.signal,
        );
        const all = merged(answer.lines, shown.current);
        hasMore.value = answer.hasMore;
        if (all.length > MAX_LINES) hasGap.current = true;
        show(all.slice(0, MAX_LINES));
      } catch (error) {
        reportError(error as Error);
      }
    },
  };
}

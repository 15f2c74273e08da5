/** The lines of a container's log that are shown: loaded, followed, and held still on request. */
import { useSignal } from '@preact/signals';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { LogEntry, Logs } from '../../../api.ts';
import { fetchJson, isAbortError } from './api-client.ts';
import { followLines } from './live.ts';

/** Lines that are drawn at most. */
const MAX_LINES = 2000;
const PAGE = 500;
/** How soon after a line the agent is asked which new ones fit a pattern. */
const PATTERN_MS = 1000;

const SPECIAL = /[\\^$.*+?()[\]{}|]/;

/**
 * What a text that is searched for matches. Undefined for none, and for what the agent takes as a pattern (question.ts):
 * its engine cannot be made to hang, a browser's can.
 */
export const literalPattern = (search: string): RegExp | undefined =>
  search === '' || SPECIAL.test(search) ? undefined : new RegExp(search, 'gi');

export interface LogFilter {
  readonly search: string;
  /** At least. */
  readonly severity: number;
}

export const keyOf = ({ uid, time, text }: LogEntry): string => uid || `${time} ${text}`;

const merged = (known: readonly LogEntry[], more: readonly LogEntry[]): LogEntry[] => {
  const byKey = new Map([...known, ...more].map((entry) => [keyOf(entry), entry]));
  return [...byKey.values()].sort((a, b) => a.time - b.time || (a.uid < b.uid ? -1 : 1));
};

export function useLogLines(id: string, wanted: LogFilter) {
  const [lines, setLines] = useState<readonly LogEntry[]>([]);
  /** The same, as soon as it is known. */
  const shown = useRef<readonly LogEntry[]>([]);
  const waiting = useRef<readonly LogEntry[]>([]);
  /** Whether lines are neither shown nor waiting that are newer than those that are shown. */
  const hasGap = useRef(false);
  const abort = useRef(new AbortController());
  const loadAnew = useRef(() => {});
  const waitingCount = useSignal(0);
  const skipped = useSignal(0);
  const hasMore = useSignal(false);
  const isPaused = useSignal(false);
  const mistake = useSignal('');

  const query = {
    id,
    limit: PAGE,
    grep: wanted.search || undefined,
    severity: wanted.severity || undefined,
  };
  const show = (entries: readonly LogEntry[]) => {
    shown.current = entries;
    setLines(entries);
  };
  const hold = (entries: readonly LogEntry[]) => {
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
  const complain = (error: Error) => {
    if (!isAbortError(error)) mistake.value = error.message;
  };

  useEffect(() => {
    abort.current = new AbortController();
    const { signal } = abort.current;
    const literal = literalPattern(wanted.search);
    const isPattern = wanted.search !== '' && literal === undefined;
    let isFirst = true;
    let asking: ReturnType<typeof setTimeout> | undefined;

    const take = (answer: Logs) => {
      const newest = merged(shown.current, waiting.current).at(-1)?.time ?? 0;
      // More came than is told at a time.
      const isApart = answer.hasMore && (answer.lines[0]?.time ?? 0) > newest;
      if (isFirst) {
        isFirst = false;
        hasMore.value = answer.hasMore;
        show(merged(answer.lines, shown.current));
        hold([]);
      } else if (isPaused.peek()) {
        if (isApart) hasGap.current = true;
        hold(answer.lines);
      } else if (isApart) {
        hasMore.value = true;
        show(answer.lines);
      } else append(answer.lines);
    };
    const load = () =>
      fetchJson<Logs>('/api/logs', query, signal).then((answer) => {
        mistake.value = '';
        take(answer);
      }, complain);
    loadAnew.current = () => {
      isFirst = true;
      hasGap.current = false;
      show([]);
      waiting.current = [];
      waitingCount.value = 0;
      void load();
    };
    loadAnew.current();

    const fits = ({ container, severity, text }: LogEntry) =>
      container === id && severity >= wanted.severity && (literal === undefined || text.search(literal) >= 0);
    const ids = [id];
    const unfollow = followLines(
      ids,
      (message) => {
        skipped.value += message.skipped;
        const fitting = message.lines.filter(fits);
        if (fitting.length === 0) return;
        if (isPattern)
          asking ??= setTimeout(() => {
            asking = undefined;
            void load();
          }, PATTERN_MS);
        else if (isPaused.peek()) hold(fitting);
        else append(fitting);
      },
      () => void load(),
    );
    return () => {
      abort.current.abort();
      clearTimeout(asking);
      unfollow();
    };
  }, [id, wanted]);

  return {
    lines,
    waitingCount,
    skipped,
    hasMore,
    isPaused,
    mistake,
    resume() {
      isPaused.value = false;
      if (hasGap.current) loadAnew.current();
      else {
        const more = waiting.current;
        waiting.current = [];
        waitingCount.value = 0;
        append(more);
      }
    },
    /** Holds the log still with what was written before it. */
    async older(): Promise<void> {
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
        complain(error as Error);
      }
    },
  };
}

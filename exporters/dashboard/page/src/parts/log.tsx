/** A container's log as it is written: searched, by severity, and held still on request. */
import { useSignal } from '@preact/signals';
import { Component } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { LogEntry, Logs } from '../../../api.ts';
import { ask, isAbort } from '../ask.ts';
import { count, exactClock, levelOf } from '../format.ts';
import { useKeys } from '../keys.ts';
import { follow } from '../state.ts';

/** Lines that are drawn at most. */
const MAX_LINES = 2000;
const PAGE = 500;
/** How near to the end counts as there, px. */
const NEAR = 24;
const SETTLE_MS = 200;

const SEVERITIES = [
  ['every severity', 0],
  ['info and above', 9],
  ['warnings and errors', 13],
  ['errors', 17],
] as const;

const SPECIAL = /[\\^$.*+?()[\]{}|]/;
/** As the agent understands it (question.ts): a text in any case, or a pattern. */
function patternOf(grep: string): RegExp | undefined {
  if (grep === '') return undefined;
  if (SPECIAL.test(grep)) {
    try {
      return new RegExp(grep, 'g');
    } catch {
      // As it is written.
    }
  }
  return new RegExp(grep.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'), 'gi');
}

/** Text with what was searched for marked in it; never anything but text. */
function Marked({ text, pattern }: { readonly text: string; readonly pattern: RegExp | undefined }) {
  if (pattern === undefined) return <>{text}</>;
  const parts = [];
  let at = 0;
  for (const found of text.matchAll(pattern)) {
    if (found[0] === '') continue;
    parts.push(text.slice(at, found.index), <mark key={found.index}>{found[0]}</mark>);
    at = found.index + found[0].length;
  }
  parts.push(text.slice(at));
  return <>{parts}</>;
}

interface LineProps {
  readonly entry: LogEntry;
  readonly pattern: RegExp | undefined;
}

/** A line never changes, but for what is marked in it: of thousands, those that are there are left alone. */
class Line extends Component<LineProps> {
  override shouldComponentUpdate({ entry, pattern }: LineProps): boolean {
    return entry !== this.props.entry || pattern !== this.props.pattern;
  }

  override render({ entry, pattern }: LineProps) {
    return <LineText entry={entry} pattern={pattern} />;
  }
}

function LineText({ entry, pattern }: LineProps) {
  const { time, severity, stream, text, cut, fields } = entry;
  const all = Object.entries(fields);
  return (
    <div class={`line ${levelOf(severity)} ${stream}`}>
      <time>{exactClock(time)}</time>
      <span class="text">
        <Marked text={text} pattern={pattern} />
        {cut > 0 ? <em> … {count(cut)} more characters</em> : null}
        {all.map(([name, value]) => (
          <span class="field" key={name}>
            {' '}
            <span>{name}=</span>
            {value}
          </span>
        ))}
      </span>
    </div>
  );
}

const merged = (known: readonly LogEntry[], more: readonly LogEntry[]): LogEntry[] => {
  const byUid = new Map<string, LogEntry>();
  for (const entry of [...known, ...more]) byUid.set(entry.uid || `${entry.time} ${entry.text}`, entry);
  return [...byUid.values()].sort((a, b) => a.time - b.time || (a.uid < b.uid ? -1 : 1));
};

export function LogView({ id }: { readonly id: string }) {
  const [lines, setLines] = useState<readonly LogEntry[]>([]);
  const waiting = useRef<LogEntry[]>([]);
  const waitingCount = useSignal(0);
  const skipped = useSignal(0);
  const hasMore = useSignal(false);
  const isPaused = useSignal(false);
  const wraps = useSignal(true);
  const search = useSignal('');
  const severity = useSignal(0);
  const mistake = useSignal('');
  const [settled, setSettled] = useState({ search: '', severity: 0 });
  const box = useRef<HTMLDivElement>(null);
  const input = useRef<HTMLInputElement>(null);
  const sticks = useRef(true);
  const pattern = useRef<RegExp | undefined>(undefined);

  useEffect(() => {
    const timer = setTimeout(() => setSettled({ search: search.value, severity: severity.value }), SETTLE_MS);
    return () => clearTimeout(timer);
  }, [search.value, severity.value]);

  useEffect(() => {
    pattern.current = patternOf(settled.search);
    const abort = new AbortController();
    const query = {
      id,
      limit: PAGE,
      grep: settled.search || undefined,
      severity: settled.severity || undefined,
    };
    const load = () =>
      ask<Logs>('/api/logs', query, abort.signal).then(
        (answer) => {
          hasMore.value = answer.hasMore;
          mistake.value = '';
          sticks.current = true;
          waiting.current = [];
          waitingCount.value = 0;
          setLines((known) =>
            merged(
              known.filter(({ time }) => time > (answer.lines.at(-1)?.time ?? 0)),
              answer.lines,
            ),
          );
        },
        (error) => {
          if (!isAbort(error)) mistake.value = error.message;
        },
      );
    setLines([]);
    void load();
    const fits = (entry: LogEntry) => {
      if (entry.severity < settled.severity) return false;
      if (pattern.current === undefined) return true;
      pattern.current.lastIndex = 0;
      return pattern.current.test(entry.text);
    };
    const ids = [id];
    const unfollow = follow(
      ids,
      (message) => {
        skipped.value += message.skipped;
        const fitting = message.lines.filter((entry) => entry.container === id && fits(entry));
        if (fitting.length === 0) return;
        if (isPaused.peek()) {
          waiting.current = [...waiting.current, ...fitting].slice(-MAX_LINES);
          waitingCount.value = waiting.current.length;
        } else setLines((known) => merged(known, fitting).slice(-MAX_LINES));
      },
      () => void load(),
    );
    return () => {
      abort.abort();
      unfollow();
    };
  }, [id, settled]);

  useLayoutEffect(() => {
    const element = box.current;
    if (element !== null && sticks.current && !isPaused.value) element.scrollTop = element.scrollHeight;
  }, [lines, wraps.value, isPaused.value]);

  const resume = () => {
    isPaused.value = false;
    sticks.current = true;
    const more = waiting.current;
    waiting.current = [];
    waitingCount.value = 0;
    setLines((known) => merged(known, more).slice(-MAX_LINES));
  };
  const pause = () => {
    isPaused.value = true;
  };
  const older = () => {
    const first = lines[0];
    if (first === undefined) return;
    pause();
    const query = {
      id,
      limit: PAGE,
      until: first.time,
      grep: settled.search || undefined,
      severity: settled.severity || undefined,
    };
    void ask<Logs>('/api/logs', query).then((answer) => {
      const before = box.current?.scrollHeight ?? 0;
      hasMore.value = answer.hasMore;
      setLines((known) => merged(answer.lines, known).slice(0, MAX_LINES));
      requestAnimationFrame(() => {
        if (box.current !== null) box.current.scrollTop += box.current.scrollHeight - before;
      });
    });
  };
  useKeys({
    '/': () => input.current?.focus(),
    p: () => (isPaused.value ? resume() : pause()),
    G: resume,
    w: () => {
      wraps.value = !wraps.value;
    },
  });

  return (
    <section class="log" aria-label="Log">
      <div class="tools">
        <label class="search">
          <span class="unseen">Search the log</span>
          <input
            ref={input}
            type="search"
            placeholder="Search: text, or a regular expression"
            value={search.value}
            onInput={(event) => {
              search.value = event.currentTarget.value;
            }}
          />
          <kbd aria-hidden="true">/</kbd>
        </label>
        <label>
          <span class="unseen">Severity</span>
          <select
            value={severity.value}
            onChange={(event) => {
              severity.value = Number(event.currentTarget.value);
            }}
          >
            {SEVERITIES.map(([title, least]) => (
              <option key={least} value={least}>
                {title}
              </option>
            ))}
          </select>
        </label>
        <button
          type="button"
          aria-pressed={wraps.value}
          onClick={() => {
            wraps.value = !wraps.value;
          }}
        >
          Wrap
        </button>
        <button
          type="button"
          aria-pressed={isPaused.value}
          onClick={() => (isPaused.value ? resume() : pause())}
        >
          {isPaused.value ? 'Resume' : 'Pause'}
        </button>
      </div>
      {mistake.value === '' ? null : (
        <p class="mistake" role="alert">
          {mistake.value}
        </p>
      )}
      {/* What scrolls has to be reached by the keyboard. */}
      <div
        class={`lines ${wraps.value ? 'wraps' : ''}`}
        ref={box}
        tabIndex={0}
        role="log"
        aria-live="off"
        aria-label="Lines"
        onScroll={(event) => {
          const { scrollTop, scrollHeight, clientHeight } = event.currentTarget;
          sticks.current = scrollHeight - scrollTop - clientHeight < NEAR;
        }}
      >
        {hasMore.value ? (
          <button type="button" class="older" onClick={older}>
            Older lines
          </button>
        ) : null}
        {lines.map((entry) => (
          <Line key={entry.uid || `${entry.time} ${entry.text}`} entry={entry} pattern={pattern.current} />
        ))}
        {lines.length === 0 ? (
          <p class="empty">
            {settled.search === '' && settled.severity === 0
              ? 'Nothing was written since the agent began to read.'
              : 'No line fits.'}
          </p>
        ) : null}
      </div>
      <p class="state" role="status">
        {isPaused.value ? (
          <button type="button" onClick={resume}>
            Held still: {waitingCount.value} new {waitingCount.value === 1 ? 'line' : 'lines'}
          </button>
        ) : (
          <span>
            <i class="pulse" /> {count(lines.length)} {lines.length === 1 ? 'line' : 'lines'}
          </span>
        )}
        {skipped.value > 0 ? <span>{count(skipped.value)} came too fast to be shown</span> : null}
      </p>
    </section>
  );
}

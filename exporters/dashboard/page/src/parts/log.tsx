/** The log of a container, live: with search, severity filter and pause. */

import { useSignal } from '@preact/signals';
import { Component } from 'preact';
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { LogEntry } from '../../../api.ts';
import { count, exactClock, levelOf } from '../lib/format.ts';
import { useKeys } from '../lib/keys.ts';
import { keyOf, literalPattern, useLogLines } from '../state/log-lines.ts';
import { Search } from './search.tsx';

/** Distance from the end within which the log scrolls along, px. */
const END_DISTANCE = 24;
const SETTLE_MS = 200;

const SEVERITIES = [
  ['All severities', 0],
  ['Info and above', 9],
  ['Warnings and errors', 13],
  ['Errors', 17],
] as const;

/** Text with the matches of the search highlighted; never rendered as markup. */
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

/** A log line. It is rendered again only if its highlights change: there can be thousands of lines. */
class LogRow extends Component<LineProps> {
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

export function LogView({ id }: { readonly id: string }) {
  const wraps = useSignal(true);
  const search = useSignal('');
  const severity = useSignal(0);
  const [settled, setSettled] = useState({ search: '', severity: 0 });
  const box = useRef<HTMLDivElement>(null);
  const input = useRef<HTMLInputElement>(null);
  const followsEnd = useRef(true);
  const pattern = useMemo(() => literalPattern(settled.search), [settled]);
  const log = useLogLines(id, settled);
  const { lines, waitingCount, skipped, hasMore, isPaused, problem } = log;

  useEffect(() => {
    const next = { search: search.value, severity: severity.value };
    const settle = (last: typeof next) =>
      last.search === next.search && last.severity === next.severity ? last : next;
    // An unchanged filter stays the same object, so that the log is not loaded twice when the view opens.
    const timer = setTimeout(() => setSettled(settle), SETTLE_MS);
    return () => clearTimeout(timer);
  }, [search.value, severity.value]);

  useEffect(() => {
    followsEnd.current = true;
  }, [settled]);

  useLayoutEffect(() => {
    const element = box.current;
    if (element !== null && followsEnd.current && !isPaused.value) element.scrollTop = element.scrollHeight;
  }, [lines, wraps.value, isPaused.value]);

  const resume = () => {
    followsEnd.current = true;
    log.resume();
  };
  const pause = () => {
    isPaused.value = true;
  };
  const loadOlder = async () => {
    const before = box.current?.scrollHeight ?? 0;
    await log.loadOlder();
    requestAnimationFrame(() => {
      if (box.current !== null) box.current.scrollTop += box.current.scrollHeight - before;
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
        <Search
          label="Search the log"
          placeholder="Search: text or regular expression"
          value={search}
          input={input}
        />
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
      {problem.value === '' ? null : (
        <p class="problem" role="alert">
          {problem.value}
        </p>
      )}
      {/* A scrolling element must be reachable with the keyboard. */}
      <div
        class={`lines ${wraps.value ? 'wraps' : ''}`}
        ref={box}
        tabIndex={0}
        role="log"
        aria-live="off"
        aria-label="Lines"
        onScroll={(event) => {
          const { scrollTop, scrollHeight, clientHeight } = event.currentTarget;
          followsEnd.current = scrollHeight - scrollTop - clientHeight < END_DISTANCE;
        }}
      >
        {hasMore.value ? (
          <button type="button" class="older" onClick={() => void loadOlder()}>
            Older lines
          </button>
        ) : null}
        {lines.map((entry) => (
          <LogRow key={keyOf(entry)} entry={entry} pattern={pattern} />
        ))}
        {lines.length === 0 ? (
          <p class="empty">
            {settled.search === '' && settled.severity === 0 ? 'No log lines yet' : 'No matching lines'}
          </p>
        ) : null}
      </div>
      <p class="state" role="status">
        {isPaused.value ? (
          <button type="button" onClick={resume}>
            Paused, {waitingCount.value} new {waitingCount.value === 1 ? 'line' : 'lines'}
          </button>
        ) : (
          <span>
            <i class="pulse" /> {count(lines.length)} {lines.length === 1 ? 'line' : 'lines'}
          </span>
        )}
        {skipped.value > 0 ? <span>{count(skipped.value)} lines skipped</span> : null}
      </p>
    </section>
  );
}

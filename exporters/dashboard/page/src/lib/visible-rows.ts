/** Virtual scrolling, and other hooks around layout and time. */
import type { RefObject } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';

/** Rows that are rendered beyond the visible ones, for fast scrolling. */
const OVERSCAN = 6;

export interface Range {
  readonly from: number;
  readonly to: number;
}

/** The visible rows of a scrolling element; all rows have the same height. */
export function useVisibleRows(
  scroller: RefObject<HTMLElement | null>,
  rowHeight: number,
  count: number,
): Range {
  const [range, setRange] = useState<Range>({ from: 0, to: Math.min(count, 60) });
  useLayoutEffect(() => {
    const element = scroller.current;
    if (element === null) return;
    const update = () => {
      const first = Math.floor(element.scrollTop / rowHeight);
      const last = Math.min(count, first + Math.ceil(element.clientHeight / rowHeight) + 1);
      // Renders only if a visible row is missing, and not for each pixel.
      setRange((known) =>
        known.from <= first && known.to >= last && known.to <= count
          ? known
          : { from: Math.max(0, first - OVERSCAN), to: Math.min(count, last + OVERSCAN) },
      );
    };
    update();
    element.addEventListener('scroll', update, { passive: true });
    const observer = new ResizeObserver(update);
    observer.observe(element);
    return () => {
      element.removeEventListener('scroll', update);
      observer.disconnect();
    };
  }, [scroller, rowHeight, count]);
  return range;
}

/** Scrolls just far enough to make a row visible. */
export function scrollToRow(element: HTMLElement, index: number, rowHeight: number, head: number): void {
  const top = index * rowHeight;
  if (top < element.scrollTop) element.scrollTop = top;
  else if (top + rowHeight + head > element.scrollTop + element.clientHeight)
    element.scrollTop = top + rowHeight + head - element.clientHeight;
}

/** Whether a media query matches. */
export function useMediaQuery(query: string): boolean {
  const [isMatching, setMatching] = useState(() => matchMedia(query).matches);
  useEffect(() => {
    const media = matchMedia(query);
    const update = () => setMatching(media.matches);
    update();
    media.addEventListener('change', update);
    return () => media.removeEventListener('change', update);
  }, [query]);
  return isMatching;
}

/** Calls `work` once `key` has not changed for a while. */
export function useDebounced(work: () => void, ms: number, key: string): void {
  const latest = useRef(work);
  latest.current = work;
  useEffect(() => {
    const timer = setTimeout(() => latest.current(), ms);
    return () => clearTimeout(timer);
  }, [ms, key]);
}

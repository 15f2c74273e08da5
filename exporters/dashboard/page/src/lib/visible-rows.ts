/** A long list of rows of one height, of which those in sight are there. */
import type { RefObject } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';

/** Rows beyond the edges, so that a fast hand finds them there. */
const MORE = 6;

export interface Range {
  readonly from: number;
  readonly to: number;
}

/** The rows in sight of a scrolling element. */
export function useVisibleRows(
  scroller: RefObject<HTMLElement | null>,
  rowHeight: number,
  count: number,
): Range {
  const [range, setRange] = useState<Range>({ from: 0, to: Math.min(count, 60) });
  useLayoutEffect(() => {
    const element = scroller.current;
    if (element === null) return;
    const look = () => {
      const first = Math.floor(element.scrollTop / rowHeight);
      const last = Math.min(count, first + Math.ceil(element.clientHeight / rowHeight) + 1);
      // Not every pixel draws anew: only where a row in sight is not there.
      setRange((known) =>
        known.from <= first && known.to >= last && known.to <= count
          ? known
          : { from: Math.max(0, first - MORE), to: Math.min(count, last + MORE) },
      );
    };
    look();
    element.addEventListener('scroll', look, { passive: true });
    const observer = new ResizeObserver(look);
    observer.observe(element);
    return () => {
      element.removeEventListener('scroll', look);
      observer.disconnect();
    };
  }, [scroller, rowHeight, count]);
  return range;
}

/** Scrolls no further than is needed to have a row in sight. */
export function scrollToRow(element: HTMLElement, index: number, rowHeight: number, head: number): void {
  const top = index * rowHeight;
  if (top < element.scrollTop) element.scrollTop = top;
  else if (top + rowHeight + head > element.scrollTop + element.clientHeight)
    element.scrollTop = top + rowHeight + head - element.clientHeight;
}

/** Whether a media query holds. */
export function useMediaQuery(query: string): boolean {
  const [holds, setHolds] = useState(() => matchMedia(query).matches);
  useEffect(() => {
    const media = matchMedia(query);
    const look = () => setHolds(media.matches);
    look();
    media.addEventListener('change', look);
    return () => media.removeEventListener('change', look);
  }, [query]);
  return holds;
}

/** Calls once the same things were wanted for a moment. */
export function useDebounced(work: () => void, ms: number, what: string): void {
  const latest = useRef(work);
  latest.current = work;
  useEffect(() => {
    const timer = setTimeout(() => latest.current(), ms);
    return () => clearTimeout(timer);
  }, [ms, what]);
}

/** The last hour of a container or the host, asked for again whenever there is something new. */
import { useEffect, useRef, useState } from 'preact/hooks';
import type { SeriesAnswer } from '../../../api.ts';
import { fetchJson } from './api-client.ts';

const LEAST_MS = 4000;

export interface LastHour {
  readonly times: readonly number[];
  readonly columns: Readonly<Record<string, readonly (number | null)[]>>;
}

const NOTHING: LastHour = { times: [], columns: {} };

/**
 * @param id of a container; '' for the host
 * @param version changes when there is something new
 */
export function useLastHour(id: string, version: number): LastHour {
  const [hour, setHour] = useState(NOTHING);
  const askedAt = useRef({ id, at: 0 });
  useEffect(() => {
    const asked = askedAt.current;
    if (asked.id === id && Date.now() - asked.at < LEAST_MS) return;
    askedAt.current = { id, at: Date.now() };
    fetchJson<SeriesAnswer>(id === '' ? '/api/host/series' : '/api/series', id === '' ? {} : { id }).then(
      ({ from, step, series }) => {
        // Of one that is not shown any more.
        if (askedAt.current.id !== id) return;
        const columns = series[id] ?? {};
        const length = Object.values(columns)[0]?.length ?? 0;
        // A value stands for its whole step; it is drawn in the middle of it.
        setHour({ times: Array.from({ length }, (_, index) => from + (index + 0.5) * step), columns });
      },
      () => {},
    );
  }, [id, version]);
  return hour;
}

/** Usage of the last hour, of a container or the host. */
import { useEffect, useRef, useState } from 'preact/hooks';
import type { SeriesAnswer } from '../../../api.ts';
import { fetchJson } from './api-client.ts';

const MIN_INTERVAL_MS = 4000;

export interface LastHour {
  readonly times: readonly number[];
  readonly columns: Readonly<Record<string, readonly (number | null)[]>>;
}

const EMPTY: LastHour = { times: [], columns: {} };

/**
 * Loads the last hour, and again with each new version.
 * @param id of a container; '' for the host
 * @param version changes with each measurement
 */
export function useLastHour(id: string, version: number): LastHour {
  const [hour, setHour] = useState(EMPTY);
  const requestedAt = useRef({ id, at: 0 });
  useEffect(() => {
    const requested = requestedAt.current;
    if (requested.id === id && Date.now() - requested.at < MIN_INTERVAL_MS) return;
    requestedAt.current = { id, at: Date.now() };
    fetchJson<SeriesAnswer>(id === '' ? '/api/host/series' : '/api/series', id === '' ? {} : { id }).then(
      ({ from, step, series }) => {
        // The view has switched to another container.
        if (requestedAt.current.id !== id) return;
        const columns = series[id] ?? {};
        const length = Object.values(columns)[0]?.length ?? 0;
        // A value is the mean of its step, so it is drawn in the middle.
        setHour({ times: Array.from({ length }, (_, index) => from + (index + 0.5) * step), columns });
      },
      () => {},
    );
  }, [id, version]);
  return hour;
}

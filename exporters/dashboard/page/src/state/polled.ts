/** Polling of an API path by a component. */
import { useEffect, useState } from 'preact/hooks';
import { fetchJson } from './api-client.ts';

/**
 * The answer of an API path: fetched at once, and again while the component is mounted.
 * @returns undefined before the first answer; the previous answer while requests fail
 */
export function usePolled<T>(path: string, everyMs: number): T | undefined {
  const [answer, setAnswer] = useState<T>();
  useEffect(() => {
    const abort = new AbortController();
    const load = () => fetchJson<T>(path, {}, abort.signal).then(setAnswer, () => {});
    void load();
    const timer = setInterval(load, everyMs);
    return () => {
      abort.abort();
      clearInterval(timer);
    };
  }, [path, everyMs]);
  return answer;
}

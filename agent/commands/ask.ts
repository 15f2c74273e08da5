/** Asks the running agent. */
import type { Config } from '../../config/schema.ts';
import { messageOf } from '../telemetry.ts';

const ANSWER_MS = 5000;

/** @throws {Error} when no agent answers where this one would listen */
export async function askAgent<T>(listen: Config['listen'], path: string): Promise<T> {
  const host = listen.host.includes(':') ? `[${listen.host}]` : listen.host;
  const url = `http://${host}:${listen.port}${path}`;
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(ANSWER_MS) });
    if (!response.ok) throw new Error(`HTTP ${response.status}`);
    return (await response.json()) as T;
  } catch (error) {
    const reason = error instanceof Error && error.cause !== undefined ? error.cause : error;
    throw new Error(`no agent answers at ${url}: ${messageOf(reason)}; --listen names where it listens`);
  }
}

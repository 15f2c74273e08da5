/** Requests to the agent's API. */
import { signal } from '@preact/signals';

/** Whether the agent requires a token that this browser does not have. */
export const needsToken = signal(false);

class ApiError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

type Query = Readonly<Record<string, string | number | readonly string[] | undefined>>;

function urlOf(path: string, query: Query): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined) continue;
    for (const each of Array.isArray(value) ? value : [value]) parameters.append(name, String(each));
  }
  const text = parameters.toString();
  return text === '' ? path : `${path}?${text}`;
}

/** @throws {ApiError} with the error message of the agent */
export async function fetchJson<T>(path: string, query: Query = {}, abort?: AbortSignal): Promise<T> {
  const response = await fetch(urlOf(path, query), { signal: abort ?? null });
  if (response.ok) return (await response.json()) as T;
  if (response.status === 401) needsToken.value = true;
  const { error } = (await response.json().catch(() => ({ error: response.statusText }))) as {
    error: string;
  };
  throw new ApiError(response.status, error);
}

/** Exchanges the token for a session cookie. @throws {ApiError} if the token is invalid */
export async function login(token: string): Promise<void> {
  const response = await fetch('/api/login', { headers: { authorization: `Bearer ${token}` } });
  if (!response.ok) throw new ApiError(response.status, 'Invalid token');
  needsToken.value = false;
}

/** Whether a request was aborted by this page. */
export const isAbortError = (error: unknown): boolean =>
  error instanceof DOMException && error.name === 'AbortError';

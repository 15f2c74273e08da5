/**
 * Whether a container is the receiver that logs are sent to: what it logs of each request would come round
 * and round. Known by the names, addresses and ports that the daemon gives it.
 */
import type { Container } from '../records.ts';

const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]', '0.0.0.0']);
const PORTS: Readonly<Record<string, string>> = { 'http:': '80', 'https:': '443' };

/** @param endpoint the URL that logs are sent to; anything else is nobody's */
export function isReceiver({ reachedBy }: Container, endpoint: string | undefined): boolean {
  if (endpoint === undefined || !URL.canParse(endpoint)) return false;
  const { hostname, port, protocol } = new URL(endpoint);
  // A container's published port is one of the host's.
  return LOOPBACK.has(hostname)
    ? reachedBy.includes(`:${port || PORTS[protocol]}`)
    : reachedBy.includes(hostname);
}

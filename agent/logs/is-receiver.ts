/**
 * Whether a container is the receiver that logs are sent to: what it logs of each request would come round
 * and round. Known by the names, addresses and ports that the daemon gives it.
 */
import { hostname, networkInterfaces } from 'node:os';
import type { Container } from '../../collectors/records/records.ts';

/** Names of this host; its addresses are looked up. */
const HOST_NAMES = ['localhost', '0.0.0.0', 'host.docker.internal', hostname()];

/** None where a sandbox does not let us ask: the kernel tells them over a socket of a family of its own. */
function addressesHere(): string[] {
  try {
    return Object.values(networkInterfaces()).flatMap((all) => (all ?? []).map(({ address }) => address));
  } catch {
    return [];
  }
}

/** Whether it is a name or an address of this host. */
const isThisHost = (name: string): boolean =>
  HOST_NAMES.includes(name) || addressesHere().some((address) => address === name || `[${address}]` === name);

const PORTS: Readonly<Record<string, string>> = { 'http:': '80', 'https:': '443' };

/** @param url that logs are sent to */
export function isReceiver({ reachedBy }: Container, url: URL | undefined): boolean {
  if (url === undefined) return false;
  const { hostname: name, port, protocol } = url;
  // A container's published port is one of the host's.
  return isThisHost(name) ? reachedBy.includes(`:${port || PORTS[protocol]}`) : reachedBy.includes(name);
}

/**
 * Detects whether a container is the receiver that logs are sent to. Sending what it logs about each request would cause
 * the next request. It is recognised by the names, addresses and ports that the daemon reports.
 */
import { hostname, networkInterfaces } from 'node:os';
import type { Container } from '../../collectors/records/records.ts';

/** Names of this host. Its addresses are looked up. */
const HOST_NAMES = ['localhost', '0.0.0.0', 'host.docker.internal', hostname()];

/** Addresses of this host; none where a sandbox forbids the netlink socket that they come from. */
function addressesHere(): string[] {
  try {
    return Object.values(networkInterfaces()).flatMap((all) => (all ?? []).map(({ address }) => address));
  } catch {
    return [];
  }
}

/** Whether `name` is a name or an address of this host. */
const isThisHost = (name: string): boolean =>
  HOST_NAMES.includes(name) || addressesHere().some((address) => address === name || `[${address}]` === name);

const PORTS: Readonly<Record<string, string>> = { 'http:': '80', 'https:': '443' };

/** @param url the URL that logs are sent to */
export function isReceiver({ reachedBy }: Container, url: URL | undefined): boolean {
  if (url === undefined) return false;
  const { hostname: name, port, protocol } = url;
  // A published port of a container is a port of the host.
  return isThisHost(name) ? reachedBy.includes(`:${port || PORTS[protocol]}`) : reachedBy.includes(name);
}

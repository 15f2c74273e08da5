/** A way to a target that is made anew now and then. */
import { messageOf } from '../../agent/telemetry.ts';
import type { Target } from '../../config/destinations.ts';
import { away, type Transport } from './verdict.ts';

/**
 * Connections older than this are closed: a name may point elsewhere by now, a certificate or a secret have been
 * renewed, and a balancer have more receivers behind it.
 */
const LONGEST_CONNECTION_MS = 5 * 60_000;

/** Imports only the protocol that is used. @throws {Error} when a file of the target cannot be read */
async function connect(target: Target): Promise<Transport> {
  if (target.protocol === 'grpc') return (await import('./grpc.ts')).grpcTransport(target);
  return (await import('./http.ts')).httpTransport(target);
}

/** @throws {Error} when a file of the target cannot be read */
export async function createTransport(target: Target): Promise<Transport> {
  let transport = await connect(target);
  let since = performance.now();
  let isClosed = false;
  return {
    async send(request) {
      if (performance.now() - since > LONGEST_CONNECTION_MS) {
        try {
          const next = await connect(target);
          transport.close();
          transport = next;
          if (isClosed) next.close();
        } catch (error) {
          return away(messageOf(error));
        }
        since = performance.now();
      }
      return transport.send(request);
    },
    close() {
      isClosed = true;
      transport.close();
    },
  };
}

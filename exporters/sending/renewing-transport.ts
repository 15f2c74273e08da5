import { errorMessage } from '../../collectors/shared/error-message.ts';
import { type Transport, unreachable } from './send-result.ts';

/**
 * A transport reconnects after this time. By then a name can have another address, a certificate or a secret
 * can be renewed, and a load balancer can have more receivers.
 */
const MAX_CONNECTION_AGE_MS = 5 * 60_000;

/**
 * A transport that reconnects every few minutes.
 * @throws what the first `connect` throws; if a later one throws, the receiver counts as unreachable
 */
export async function createRenewingTransport(connect: () => Promise<Transport>): Promise<Transport> {
  let transport = await connect();
  let connectedAt = performance.now();
  let isClosed = false;
  return {
    async send(request, span) {
      if (performance.now() - connectedAt > MAX_CONNECTION_AGE_MS) {
        try {
          const next = await connect();
          transport.close();
          transport = next;
          if (isClosed) next.close();
        } catch (error) {
          return unreachable(errorMessage(error));
        }
        connectedAt = performance.now();
      }
      return transport.send(request, span);
    },
    close() {
      isClosed = true;
      transport.close();
    },
  };
}

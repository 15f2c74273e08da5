/** A transport that is made anew now and then. */
import { errorMessage } from '../../collectors/shared/error-message.ts';
import { away, type Transport } from './verdict.ts';

/**
 * Connections older than this are closed: a name may point elsewhere by now, a certificate or a secret have been
 * renewed, and a balancer have more receivers behind it.
 */
const LONGEST_CONNECTION_MS = 5 * 60_000;

/** @throws what `connect` throws at the first time; later the receiver counts as away */
export async function renewed(connect: () => Promise<Transport>): Promise<Transport> {
  let transport = await connect();
  let since = performance.now();
  let isClosed = false;
  return {
    async send(request, span) {
      if (performance.now() - since > LONGEST_CONNECTION_MS) {
        try {
          const next = await connect();
          transport.close();
          transport = next;
          if (isClosed) next.close();
        } catch (error) {
          return away(errorMessage(error));
        }
        since = performance.now();
      }
      return transport.send(request, span);
    },
    close() {
      isClosed = true;
      transport.close();
    },
  };
}

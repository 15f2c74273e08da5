import type { SignalEndpoint } from '../../config/destinations.ts';
import { createRenewingTransport } from '../sending/renewing-transport.ts';
import type { Transport } from '../sending/send-result.ts';

/**
 * Creates the transport for an endpoint's protocol, and imports only that one.
 * @throws {Error} when a file of the endpoint cannot be read
 */
export const createTransport = (endpoint: SignalEndpoint): Promise<Transport> =>
  createRenewingTransport(async () => {
    if (endpoint.protocol === 'grpc') return (await import('./grpc.ts')).createGrpcTransport(endpoint);
    return (await import('./http.ts')).createHttpTransport(endpoint);
  });

/** The way to a target, by its protocol. */
import type { SignalEndpoint } from '../../config/destinations.ts';
import { createRenewingTransport } from '../sending/renewing-transport.ts';
import type { Transport } from '../sending/send-result.ts';

/** Imports only the protocol that is used. @throws {Error} when a file of the target cannot be read */
export const createTransport = (target: SignalEndpoint): Promise<Transport> =>
  createRenewingTransport(async () => {
    if (target.protocol === 'grpc') return (await import('./grpc.ts')).createGrpcTransport(target);
    return (await import('./http.ts')).createHttpTransport(target);
  });

/** The way to a target, by its protocol. */
import type { SignalEndpoint } from '../../config/destinations.ts';
import { renewed } from '../sending/renewed.ts';
import type { Transport } from '../sending/verdict.ts';

/** Imports only the protocol that is used. @throws {Error} when a file of the target cannot be read */
export const createTransport = (target: SignalEndpoint): Promise<Transport> =>
  renewed(async () => {
    if (target.protocol === 'grpc') return (await import('./grpc.ts')).grpcTransport(target);
    return (await import('./http.ts')).httpTransport(target);
  });

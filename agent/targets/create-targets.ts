/** Creates one target for each configured endpoint. */

import { isNoDaemon } from '../../collectors/engine/daemon-endpoint.ts';
import type { TextStore } from '../../collectors/records/collector.ts';
import { DaemonTarget } from './daemon-target.ts';
import type { NamedEndpoint } from './endpoints.ts';
import type { AgentScope } from './scope.ts';
import type { Target, TargetOptions } from './target.ts';

interface Store extends TextStore {
  section(prefix: string): TextStore;
}

/** The target without a daemon is imported only when it is used: its modules cost every start CPU time. */
export async function createTargets(
  endpoints: readonly NamedEndpoint[],
  scope: AgentScope,
  { store, ...shared }: Omit<TargetOptions, 'endpoint' | 'store'> & { readonly store: Store },
): Promise<Target[]> {
  const isOnly = endpoints.length === 1;
  let isHostClaimed = false;
  const claimHost = () => {
    const isFirst = !isHostClaimed;
    isHostClaimed = true;
    return isFirst;
  };
  const create = async ({ name, endpoint }: NamedEndpoint): Promise<Target> => {
    // The daemon without a name keeps the layout of a store that has only one.
    const section = name === undefined ? store : store.section(`daemon/${name}/`);
    const options = { ...shared, endpoint, store: section };
    return isNoDaemon(endpoint)
      ? new (await import('./kernel-target.ts')).KernelTarget(options)
      : new DaemonTarget({ ...options, name, scope, claimHost, isOnly });
  };
  return Promise.all(endpoints.map(create));
}

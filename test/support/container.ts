import { fromActor } from '../../collectors/lifecycle/identity.ts';
import type { Attributes, Container } from '../../collectors/records/records.ts';

/** A container of no daemon, for tests that need none. */
export function fakeContainer(facts: Partial<Container> & { attributes?: Attributes } = {}): Container {
  return {
    ...fromActor('c', { name: 'c', image: 'i' }, {}),
    labels: {},
    resource: { attributes: facts.attributes ?? {} },
    pid: 1,
    createdAt: 1n,
    startedAt: 1n,
    logDriver: 'json-file',
    networkMode: 'bridge',
    status: 'running',
    ...facts,
  };
}

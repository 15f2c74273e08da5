import type { Attributes, Container } from '../../agent/records.ts';
import { fromActor } from '../../collectors/docker/identity.ts';

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

import type { Attributes, Container } from '../../agent/records.ts';

/** A container of no daemon, for tests that need none. */
export function fakeContainer(facts: Partial<Container> & { attributes?: Attributes } = {}): Container {
  return {
    id: 'c',
    name: 'c',
    image: 'i',
    labels: {},
    resource: { attributes: facts.attributes ?? {} },
    pid: 1,
    startedAt: 1n,
    tty: false,
    logDriver: 'json-file',
    logPath: '',
    logMaxSize: 0,
    networkMode: 'bridge',
    reachedBy: [],
    status: 'running',
    health: undefined,
    restarts: 0,
    exitCode: 0,
    oomKilled: false,
    imageCreated: 0n,
    ...facts,
  };
}

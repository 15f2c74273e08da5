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
    createdAt: 1n,
    startedAt: 1n,
    finishedAt: 0n,
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
    healthAt: 0n,
    stopSignal: 'SIGTERM',
    healthCommand: '',
    restartPolicy: '',
    privileged: false,
    mounts: [],
    securityOptions: [],
    settings: 0,
    memoryLimit: 0,
    imageCreated: 0n,
    ...facts,
  };
}

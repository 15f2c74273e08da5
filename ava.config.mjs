/** What takes long begins first, and what wants all of the machine beside what mostly waits. */
const FIRST = [
  'faults/logs',
  'integration/privileges',
  'faults/events',
  'integration/catalogue',
  'integration/cli',
  'faults/reliability',
  'integration/daemons',
  'integration/sidecar',
  'integration/deb',
  'integration/placing-podman',
  'faults/delivery',
].map((name) => `/test/${name}.test.ts`);

const placeOf = (path) => {
  const place = FIRST.findIndex((name) => path.endsWith(name));
  return place === -1 ? FIRST.length : place;
};

export default {
  files: ['unit', 'integration', 'faults', 'e2e'].map((folder) => `test/${folder}/**/*.test.ts`),
  extensions: ['ts'],
  concurrency: 2,
  timeout: '3m',
  workerThreads: false,
  sortTestFiles: (one, other) => placeOf(one) - placeOf(other) || one.localeCompare(other),
};

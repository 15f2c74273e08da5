export default {
  files: ['test/interop/**/*.test.ts'],
  extensions: ['ts'],
  concurrency: 1,
  timeout: '5m',
  workerThreads: false,
};

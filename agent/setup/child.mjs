// Plain JavaScript for any Node from 20 on: it runs before anything is set up.
import { spawn } from 'node:child_process';

/** A terminal sends Ctrl-C to every process of its group, and npm sends it once more to its child. */
const SAME_SIGNAL_MS = 500;
const PARENT_MS = 1000;

/**
 * Runs a command to its end with our terminal, and passes signals on: each once, however often it arrives.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {Promise<number>} its exit code; 128 + n when a signal n ended it
 */
export function runToEnd(command, args, env = process.env) {
  // Out of the terminal's process group: it gets signals from here only.
  const child = spawn(command, args, { stdio: 'inherit', env, detached: true });
  let last = 0;
  /** @param {NodeJS.Signals} signal */
  const pass = (signal) => {
    if (Date.now() - last < SAME_SIGNAL_MS) return;
    last = Date.now();
    child.kill(signal === 'SIGHUP' ? 'SIGTERM' : signal);
  };
  const signals = /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP']);
  for (const signal of signals) process.on(signal, pass);
  // npm does not pass on a SIGTERM that only it got: when our parent is another, it is gone.
  const parent = process.ppid;
  const watch = setInterval(() => process.ppid !== parent && pass('SIGTERM'), PARENT_MS);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code, signal) => {
      clearInterval(watch);
      for (const name of signals) process.off(name, pass);
      resolve(code ?? 128 + (signal === 'SIGINT' ? 2 : signal === 'SIGKILL' ? 9 : 15));
    });
  });
}

// Plain JavaScript that any Node from 20 on can run, because nothing is installed yet.
import { spawn } from 'node:child_process';

/** On Ctrl-C, the terminal signals every process of its group, and npm signals its child again. */
const SAME_SIGNAL_MS = 500;
const PARENT_MS = 1000;

/**
 * Runs a command with our terminal until it exits, and forwards each signal once, even if it arrives several times.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {Promise<number>} its exit code; 128 + n if signal n ended it
 */
export function runToEnd(command, args, env = process.env) {
  // Detached from the terminal's process group, so that it receives signals from here only.
  const child = spawn(command, args, { stdio: 'inherit', env, detached: true });
  let last = 0;
  /** @param {NodeJS.Signals} signal */
  const forward = (signal) => {
    if (Date.now() - last < SAME_SIGNAL_MS) return;
    last = Date.now();
    child.kill(signal === 'SIGHUP' ? 'SIGTERM' : signal);
  };
  const signals = /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP']);
  for (const signal of signals) process.on(signal, forward);
  // npm does not forward a SIGTERM that only npm received. If our parent changes, npm is gone.
  const parent = process.ppid;
  const watch = setInterval(() => process.ppid !== parent && forward('SIGTERM'), PARENT_MS);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code, signal) => {
      clearInterval(watch);
      for (const name of signals) process.off(name, forward);
      resolve(code ?? 128 + (signal === 'SIGINT' ? 2 : signal === 'SIGKILL' ? 9 : 15));
    });
  });
}

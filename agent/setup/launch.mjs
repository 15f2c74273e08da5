/**
 * Runs a TypeScript file of the checkout. Before that, installs Node 24 if the machine's Node is older, and the
 * dependencies that package-lock.json names.
 *
 *     node agent/setup/launch.mjs <script.ts> [arguments]
 *
 * Plain JavaScript that any Node from 20 on can run, because nothing is installed yet.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runToEnd } from './child.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
const NODE_MAJOR = 24;
/** The first Node 24 that strips types without a warning and that the test runner supports. */
const NODE_MINOR = 12;

/** @param {string} version */
function isRecent(version) {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > NODE_MAJOR || (major === NODE_MAJOR && minor >= NODE_MINOR);
}

/**
 * @param {readonly string[]} args
 * @param {string} node directory of the node to run npm with
 */
function npm(args, node) {
  const env = { ...process.env, PATH: `${node}${delimiter}${process.env.PATH}` };
  const script = process.env.npm_execpath;
  const [command, ...before] = script?.endsWith('.js') ? [join(node, 'node'), script] : ['npm'];
  const { status } = spawnSync(command, [...before, ...args, '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    env,
    stdio: ['ignore', 2, 2],
  });
  if (status !== 0) {
    console.error(`portlight: setup failed: npm ${args.join(' ')}`);
    process.exit(1);
  }
}

/** Installs Node if necessary. Returns the directory of a Node that is recent enough. */
function ensureNode() {
  if (isRecent(process.versions.node)) return dirname(process.execPath);
  const name = `node-${process.platform}-${process.arch}`;
  const bin = join(root, '.node/node_modules', name, 'bin');
  if (!existsSync(join(bin, 'node'))) {
    console.error(
      `portlight: Node ${process.versions.node} is too old. Installing Node ${NODE_MAJOR} into .node/`,
    );
    const wanted = `${name}@^${NODE_MAJOR}.${NODE_MINOR}`;
    npm(
      ['install', '--prefix', '.node', '--no-save', '--no-package-lock', '--ignore-scripts', wanted],
      dirname(process.execPath),
    );
  }
  return bin;
}

/** @param {string} node */
function ensureDependencies(node) {
  const lock = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
  const stamp = join(root, 'node_modules/.portlight-lock');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return;
  console.error('portlight: installing dependencies');
  // No dependency needs its install script: the existing scripts only build optional native code.
  npm(['ci', '--ignore-scripts'], node);
  writeFileSync(stamp, lock);
}

const [script = '', ...args] = process.argv.slice(2);
const node = ensureNode();
ensureDependencies(node);
process.exitCode = await runToEnd(join(node, 'node'), [join(root, script), ...args], {
  ...process.env,
  PATH: `${node}${delimiter}${process.env.PATH}`,
});

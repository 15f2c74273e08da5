/**
 * Builds the agent's container image from the Dockerfile. Without access to its base images, Debian from debootstrap
 * replaces them: with this Node and npm for the build stage, and with only the files that Node needs for the final stage.
 */
import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { VERSION } from '../../config/version.ts';
import { makeTemporaryDirectory } from './temporary.ts';

/** `portlight:<version>` */
export const PORTLIGHT_IMAGE = `portlight:${VERSION}`;

/** Time limit of the build on a busy machine, debootstrap included, for `t.timeout`. */
export const IMAGE_MS = 600_000;

/** Debian packages needed to build the images. */
export const imageBuildPackages = ['debootstrap', 'debian-archive-keyring'] as const;

const SUITE = 'trixie';
/** Packages that Node needs at run time. */
const RUNTIME_PACKAGES = ['base-files', 'libc6', 'libgcc-s1', 'libstdc++6', 'tzdata'];
/** Debian's npm is split into many packages and may be too old for SBOMs. */
const NPM = 'npm@11.19.1';
const CERTIFICATES = 'etc/ssl/certs/ca-certificates.crt';

const root = join(import.meta.dirname, '../..');
const cache = join(root, 'node_modules/.cache/portlight');

const run = (command: string, args: readonly string[]): string =>
  execFileSync(command, args, { encoding: 'utf8', maxBuffer: 1 << 28, stdio: ['ignore', 'pipe', 'pipe'] });

const succeeds = (command: string, args: readonly string[]): boolean =>
  spawnSync(command, args, { stdio: 'ignore' }).status === 0;

/** Builds the image on the daemon that DOCKER_HOST names, unless it exists. */
export async function ensurePortlightImage(): Promise<void> {
  mkdirSync(cache, { recursive: true });
  // Test files run in parallel and share one image.
  const args = [join(cache, 'lock'), process.execPath, import.meta.filename];
  await promisify(execFile)('flock', args, { maxBuffer: 1 << 28 });
}

/** The debootstrap system as a tar file. It is cached, because it takes a minute to make. */
function debian(): string {
  const tar = join(cache, `${SUITE}.tar`);
  if (existsSync(tar)) return tar;
  const { path: directory, remove } = makeTemporaryDirectory();
  try {
    run('debootstrap', ['--variant=minbase', SUITE, directory]);
    const left = ['--exclude=./var/cache/apt/*', '--exclude=./var/lib/apt/lists/*'];
    run('tar', ['--directory', directory, ...left, '--create', '--file', `${tar}.new`, '.']);
    renameSync(`${tar}.new`, tar);
  } finally {
    remove();
  }
  return tar;
}

function importDirectory(directory: string, image: string): void {
  const tar = `${directory}.tar`;
  run('tar', ['--directory', directory, '--create', '--file', tar, '.']);
  run('docker', ['import', tar, image]);
}

/** Adds this Node, npm and npm's registry configuration. */
function addNode(directory: string): void {
  const local = join(directory, 'usr/local');
  cpSync(process.execPath, join(local, 'bin/node'));
  run('npm', ['install', '--global', '--prefix', local, '--no-audit', '--no-fund', '--silent', NPM]);
  mkdirSync(join(local, 'etc'), { recursive: true });
  const registry = run('npm', ['config', 'get', 'registry']).trim();
  writeFileSync(join(local, 'etc/npmrc'), `registry=${registry}\ncafile=/${CERTIFICATES}\n`);
}

function addCertificates(directory: string): void {
  mkdirSync(dirname(join(directory, CERTIFICATES)), { recursive: true });
  cpSync(join('/', CERTIFICATES), join(directory, CERTIFICATES));
}

/** Makes the replacement base images, unless they exist. */
function ensureBases(node: string, runtime: string): void {
  if ([node, runtime].every((image) => succeeds('docker', ['image', 'inspect', image]))) return;
  const { path: directory, remove } = makeTemporaryDirectory();
  try {
    const [whole, small] = [join(directory, 'node'), join(directory, 'runtime')];
    for (const path of [whole, small]) mkdirSync(path);
    run('tar', ['--directory', whole, '--extract', '--file', debian()]);
    const files = run('chroot', [whole, 'dpkg', '--listfiles', ...RUNTIME_PACKAGES]).match(/^\/.+$/gm) ?? [];
    const list = join(directory, 'files');
    writeFileSync(list, [...new Set(files)].map((path) => `.${path}\n`).join(''));
    const part = join(directory, 'part.tar');
    run('tar', ['--directory', whole, '--no-recursion', '--files-from', list, '--create', '--file', part]);
    run('tar', ['--directory', small, '--extract', '--file', part]);
    writeFileSync(
      join(small, 'etc/passwd'),
      'root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n',
    );
    addNode(whole);
    for (const path of [whole, small]) addCertificates(path);
    importDirectory(whole, node);
    importDirectory(small, runtime);
  } finally {
    remove();
  }
}

/** Base images of the Dockerfile, by the name of the build argument. */
const expectedBases = (): Record<string, string> =>
  Object.fromEntries(
    [...readFileSync(join(root, 'Dockerfile'), 'utf8').matchAll(/^ARG (\w+_IMAGE)=(.*)$/gm)].map(
      ([, name, image]) => [name, image],
    ),
  );

/** Tags the replacements with the names that the Dockerfile expects, builds, and removes the tags. */
function build(): void {
  const { NODE_IMAGE = '', RUNTIME_IMAGE = '' } = expectedBases();
  const standIns = { 'portlight-test:node': NODE_IMAGE, 'portlight-test:runtime': RUNTIME_IMAGE };
  const missing = Object.entries(standIns).filter(
    ([, expected]) => !succeeds('docker', ['image', 'inspect', expected]),
  );
  if (missing.length > 0) ensureBases('portlight-test:node', 'portlight-test:runtime');
  for (const names of missing) run('docker', ['tag', ...names]);
  try {
    // Debian's Docker client has no BuildKit.
    if (!succeeds('docker', ['buildx', 'version'])) process.env.DOCKER_BUILDKIT = '0';
    run(process.execPath, [join(root, 'agent/setup/image.ts'), '--network', 'host']);
  } finally {
    for (const [, expected] of missing) run('docker', ['rmi', expected]);
  }
}

if (import.meta.main) build();

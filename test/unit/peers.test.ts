import { basename, delimiter, dirname } from 'node:path';
import test from 'ava';
import { benchPeers } from '../bench/peers/index.ts';
import { findProgram } from '../bench/peers/peer.ts';

const program = basename(process.execPath);

test('a program is found in any directory of PATH, with its version', async (t) => {
  const path = ['/nonexistent', dirname(process.execPath)].join(delimiter);
  t.deepEqual(await findProgram(path, program, '--version', /^v(\S+)/), {
    binary: process.execPath,
    version: process.versions.node,
  });
});

test('a program that is missing, fails or has no version is absent, with the reason', async (t) => {
  const path = dirname(process.execPath);
  t.deepEqual(await findProgram('/nonexistent', program, '--version', /^v(\S+)/), {
    absent: `no ${program} on PATH`,
  });
  t.deepEqual(await findProgram(path, program, '--version', /^Program (\S+)/), {
    absent: `${process.execPath} --version prints no version`,
  });
  const failing = await findProgram(path, program, '--no-such-option', /^v(\S+)/);
  t.regex('absent' in failing ? failing.absent : '', /no-such-option/);
});

test('every peer is absent where none is installed', async (t) => {
  for (const peer of benchPeers) {
    const found = await peer.find('/nonexistent');
    t.regex('absent' in found ? found.absent : '', /^no \S+ on PATH$/, peer.name);
  }
});

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { type Migration, migrateDirectory } from '../../agent/process/layout.ts';
import { Positions } from '../../agent/process/positions.ts';
import { temporaryDirectory } from '../support/temporary.ts';

const versionOf = (directory: string) => readFileSync(join(directory, 'version'), 'utf8');

test('a directory without a version, as 0.1.0 wrote it, and an empty one get version 1', (t) => {
  const old = temporaryDirectory(t);
  const positions = new Positions(old, () => t.fail());
  positions.save('logs/a', '1');
  positions.close();
  const empty = temporaryDirectory(t);
  for (const directory of [old, empty]) {
    migrateDirectory(directory);
    migrateDirectory(directory);
    t.is(versionOf(directory), '1\n');
  }
  const again = new Positions(old, () => t.fail());
  t.is(again.load('logs/a'), '1');
  again.close();
});

test('each migration runs once, in order; an interrupted one runs again', (t) => {
  const directory = temporaryDirectory(t);
  const path = join(directory, 'positions');
  writeFileSync(path, 'one');
  let isInterrupted = true;
  const migrations: Migration[] = [
    () => writeFileSync(path, `${readFileSync(path, 'utf8')} two`),
    () => {
      if (isInterrupted) throw new Error('no space left');
      writeFileSync(path, `${readFileSync(path, 'utf8')} three`);
    },
  ];
  t.throws(() => migrateDirectory(directory, migrations), { message: 'no space left' });
  t.is(versionOf(directory), '2\n');
  isInterrupted = false;
  migrateDirectory(directory, migrations);
  migrateDirectory(directory, migrations);
  t.is(readFileSync(path, 'utf8'), 'one two three');
  t.is(versionOf(directory), '3\n');
});

test('a directory with a newer or an invalid version is refused and left unchanged', (t) => {
  const directory = temporaryDirectory(t);
  const refused = (mark: string) => {
    writeFileSync(join(directory, 'version'), mark);
    const error = t.throws(() => migrateDirectory(directory));
    t.is(versionOf(directory), mark);
    t.false(existsSync(join(directory, 'version.new')));
    return error.message;
  };
  t.is(
    refused('2\n'),
    `data_dir: ${directory} has version 2, but this Portlight supports versions up to 1: a newer one has used it. Install that version again, or choose another directory with --data-dir`,
  );
  t.is(
    refused('soon'),
    `data_dir: ${directory}/version: "soon" is not a version of a data directory; expected a whole number`,
  );
});

test('a directory that is not available is no error of the migration', (t) => {
  const file = join(temporaryDirectory(t), 'file');
  writeFileSync(file, '');
  t.notThrows(() => migrateDirectory(join(file, 'below')));
  const missing = join(temporaryDirectory(t), 'missing');
  t.notThrows(() => migrateDirectory(missing));
});

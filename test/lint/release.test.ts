/** Rules for the workflows that test and publish. They can be checked without running them. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { parse } from 'yaml';
import manifest from '../../package.json' with { type: 'json' };

interface Step {
  readonly uses?: string;
  readonly run?: string;
  readonly with?: Readonly<Record<string, unknown>>;
}

interface Job {
  readonly uses?: string;
  readonly permissions?: Readonly<Record<string, string>>;
  readonly steps?: readonly Step[];
}

interface Workflow {
  readonly permissions: Readonly<Record<string, string>>;
  readonly jobs: Readonly<Record<string, Job>>;
}

const folder = join(import.meta.dirname, '../../.github/workflows');
const read = (name: string): Workflow => parse(readFileSync(join(folder, name), 'utf8'));

test('workflows have read access only, unless a job declares more, and pin the versions of their actions', (t) => {
  for (const name of readdirSync(folder)) {
    const { permissions, jobs } = read(name);
    t.deepEqual(permissions, { contents: 'read' }, name);
    const used = Object.values(jobs).flatMap(({ uses, steps = [] }) => [
      uses,
      ...steps.map((step) => step.uses),
    ]);
    for (const uses of used.filter((each) => each !== undefined))
      t.regex(uses, /^\.\/.+\.yml$|^[\w-]+\/[\w-]+@(v\d+|[0-9a-f]{40})$/);
  }
});

test('a release publishes package and image with provenance, and is from the repository that the package names', (t) => {
  const { package: pack, image } = read('release.yml').jobs;
  t.is(pack?.permissions?.['id-token'], 'write');
  t.true(pack?.steps?.some(({ run }) => /^npm publish .*--provenance/.test(run ?? '')));
  t.is(image?.permissions?.['id-token'], 'write');
  const build = image?.steps?.find(({ uses }) => uses?.startsWith('docker/build-push-action@'));
  t.like(build?.with, { sbom: true, provenance: 'mode=max' });
  t.is(manifest.repository.url, 'git+https://github.com/portlight/portlight.git');
});

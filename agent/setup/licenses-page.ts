/** Generates docs/licenses.md: the dependencies that are installed with the package, and their licences. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../..');

/** A package in package-lock.json; the key is the path where it is installed. */
interface Locked {
  readonly version: string;
  readonly license?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

export interface Dependency {
  readonly name: string;
  readonly version: string;
  /** SPDX expression, as the package states it. */
  readonly license: string;
}

/** The path where Node resolves `name` from the package at `from`. */
function locate(packages: Readonly<Record<string, Locked>>, name: string, from: string): string {
  for (let base = from; ; base = base.slice(0, Math.max(0, base.lastIndexOf('/node_modules/')))) {
    const path = `${base === '' ? '' : `${base}/`}node_modules/${name}`;
    if (path in packages) return path;
    if (base === '') throw new Error(`package-lock.json: ${name} is missing, required by ${from}`);
  }
}

/** Older packages state their licence in `licenses`, which package-lock.json does not have. */
function licenseOf(path: string, { license }: Locked): string {
  if (license !== undefined) return license;
  const manifest = JSON.parse(readFileSync(join(root, path, 'package.json'), 'utf8'));
  const licenses: { type: string }[] = manifest.licenses ?? [];
  return licenses.map(({ type }) => type).join(' OR ') || 'none';
}

/** All packages that `npm install portlight` installs, sorted by name and version. Reads package-lock.json and node_modules/. */
export function productionDependencies(): Dependency[] {
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
  const packages: Record<string, Locked> = lock.packages;
  const paths = new Set(['']);
  for (const path of paths) {
    const { dependencies, optionalDependencies } = packages[path]!;
    for (const name of Object.keys({ ...dependencies, ...optionalDependencies }))
      paths.add(locate(packages, name, path));
  }
  paths.delete('');
  const found = [...paths].map((path) => {
    const name = path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
    return { name, version: packages[path]!.version, license: licenseOf(path, packages[path]!) };
  });
  const byText = new Map(found.map((dependency) => [`${dependency.name}@${dependency.version}`, dependency]));
  return [...byText].sort(([one], [other]) => (one < other ? -1 : 1)).map(([, dependency]) => dependency);
}

export function licensesPage(): string {
  const dependencies = productionDependencies();
  const counts = new Map<string, number>();
  for (const { license } of dependencies) counts.set(license, (counts.get(license) ?? 0) + 1);
  const summary = [...counts]
    .sort(([one, most], [other, more]) => more - most || (one < other ? -1 : 1))
    .map(([license, count]) => `${license} (${count})`);
  return [
    '# Licences',
    '',
    'Generated from `package-lock.json` by `npm run docs`.',
    '',
    'Portlight itself is licensed under the [Apache License 2.0](../LICENSE). This page lists the packages that are installed',
    'with it, including indirect dependencies. The licence texts are in the directories of the packages, also in the image.',
    '',
    `${dependencies.length} packages: ${summary.join(', ')}.`,
    '',
    'The dashboard contains further libraries that are bundled, not installed. Their licences are in `dist/page/licenses.md`,',
    'which the agent serves at `/licenses.md`.',
    '',
    '| package | version | licence |',
    '| --- | --- | --- |',
    ...dependencies.map(({ name, version, license }) => `| ${name} | ${version} | ${license} |`),
    '',
  ].join('\n');
}

/** The text of docs/licenses.md: what is installed with the package, and under which licence. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../..');

/** What package-lock.json says of a package, by where it is installed. */
interface Locked {
  readonly version: string;
  readonly license?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

export interface Dependency {
  readonly name: string;
  readonly version: string;
  /** An SPDX expression, as the package tells it. */
  readonly license: string;
}

/** Where Node finds a package from where another is. */
function locate(packages: Readonly<Record<string, Locked>>, name: string, from: string): string {
  for (let base = from; ; base = base.slice(0, Math.max(0, base.lastIndexOf('/node_modules/')))) {
    const path = `${base === '' ? '' : `${base}/`}node_modules/${name}`;
    if (path in packages) return path;
    if (base === '') throw new Error(`package-lock.json: ${name}, which ${from} needs, is not in it`);
  }
}

/** Older packages tell it in a way of their own, which is not in the lock. */
function licenseOf(path: string, { license }: Locked): string {
  if (license !== undefined) return license;
  const manifest = JSON.parse(readFileSync(join(root, path, 'package.json'), 'utf8'));
  const licenses: { type: string }[] = manifest.licenses ?? [];
  return licenses.map(({ type }) => type).join(' OR ') || 'none';
}

/** All that `npm install portlight` installs, by name and version; read from package-lock.json and node_modules/. */
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
    'Portlight itself is under the [Apache License 2.0](../LICENSE). This is what is installed with it, what its dependencies',
    'need included. The texts of the licences are in the directories of the packages, in the image as well.',
    '',
    `${dependencies.length} packages: ${summary.join(', ')}.`,
    '',
    "The dashboard's page is built from libraries that are part of it and not installed. Their licences are in",
    '`dist/page/licenses.md`, which the agent serves at `/licenses.md`.',
    '',
    '| package | version | licence |',
    '| --- | --- | --- |',
    ...dependencies.map(({ name, version, license }) => `| ${name} | ${version} | ${license} |`),
    '',
  ].join('\n');
}

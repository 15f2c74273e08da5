/** Opens the files of a container's cgroups that a plan reads. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { CgroupDirectory } from '../shared/cgroup-location.ts';
import { KernelFile } from '../shared/kernel-file.ts';
import type { PlannedTable, ReadPlan } from './read-plan.ts';

/** Something that gives a file's bytes. */
export interface ReadableFile {
  /** Reads the bytes into `kernelBuffer`. @returns how many there are; 0 where there is no such file */
  read(): number;
  close(): void;
}

/** A table's files; one without `*` in its name has one. */
export interface TableFiles {
  readonly table: PlannedTable;
  readonly files: readonly { readonly file: ReadableFile; readonly label: string }[];
}

export interface ContainerFiles {
  /** One per file of the plan; undefined where the host does not have it. */
  readonly files: readonly (ReadableFile | undefined)[];
  readonly tables: readonly TableFiles[];
}

/** A table's files in a directory, labelled by the text in place of `*`. The label of a file without `*` is ''. */
function listTableFiles(directory: string, pattern: string): { name: string; label: string }[] {
  if (!pattern.includes('*')) return [{ name: pattern, label: '' }];
  const [before = '', after = ''] = pattern.split('*');
  return readdirSync(directory)
    .filter(
      (name) => name.startsWith(before) && name.endsWith(after) && name.length > before.length + after.length,
    )
    .map((name) => ({ name, label: name.slice(before.length, name.length - after.length) }))
    .filter(({ label }) => !label.includes('.'));
}

/**
 * @param open opens a file that stays open
 * @throws when a file exists and cannot be opened
 */
export function openContainerFiles(
  plan: ReadPlan,
  directories: ReadonlyMap<string, CgroupDirectory>,
  open: (path: string) => KernelFile | undefined,
): ContainerFiles {
  const pathOf = (controller: string) => directories.get(controller)!.path;
  return {
    files: plan.files.map(({ controller, name, cadence }) => {
      const path = join(pathOf(controller), name);
      if (cadence !== 'setting') return open(path);
      // A setting is read too rarely to be worth a descriptor.
      return existsSync(path) ? KernelFile.openedForEachRead(path) : undefined;
    }),
    tables: plan.tables.map((table) => {
      const directory = pathOf(table.controller);
      return {
        table,
        files: listTableFiles(directory, table.file).flatMap(({ name, label }) => {
          const file = open(join(directory, name));
          return file === undefined ? [] : { file, label };
        }),
      };
    }),
  };
}

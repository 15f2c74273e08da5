/** Files that have a line, or a file, for each device, page size or resource. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TableReading } from '../catalogue/entry.ts';
import type { Attributes } from '../records/records.ts';

/** A value and the label of its line. */
export interface Cell {
  readonly label: string;
  readonly value: number;
}

/** A decimal number; anything else ("max", empty) is NaN. */
const number = (text: string | undefined): number =>
  text !== undefined && /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;

/** The column of every line that has it. `text` may be anything. */
export function parseTable(text: string, format: TableReading['format'], column: string): Cell[] {
  const lines = text.split('\n').map((line) => line.trim().split(/\s+/));
  const cell = (label: string, value: string | undefined): Cell => ({ label, value: number(value) });
  const all = ((): Cell[] => {
    switch (format) {
      case 'value':
        return [cell('', lines[0]?.[0])];
      case 'key':
        return lines.filter(([key]) => key === column).map(([, value]) => cell('', value));
      case 'cpus':
        return (lines[0] ?? []).map((value, index) => cell(String(index), value));
      case 'keys':
        return lines.map(([label = '', value]) => cell(label, value));
      case 'words':
        return lines.filter(([, word]) => word === column).map(([label = '', , value]) => cell(label, value));
      case 'pairs':
        return lines.map(([label = '', ...pairs]) =>
          cell(label, pairs.find((pair) => pair.startsWith(`${column}=`))?.slice(column.length + 1)),
        );
    }
  })();
  const isLabelledByFile = format === 'value' || format === 'key';
  return all.filter(({ label, value }) => !Number.isNaN(value) && (label !== '' || isLabelledByFile));
}

/** Names of block devices by `major:minor`, from /proc/diskstats; read again when one is not known. */
export class DeviceNames {
  private readonly procfs: string | undefined;
  private names = new Map<string, string>();

  /** @param procfs of the devices' host; undefined where it cannot be seen from here */
  constructor(procfs: string | undefined) {
    this.procfs = procfs;
  }

  /** The device's name, or its number where the host has no such device (any more). */
  of(id: string): string {
    if (!this.names.has(id)) {
      this.read();
      if (!this.names.has(id)) this.names.set(id, id);
    }
    return this.names.get(id)!;
  }

  private read(): void {
    if (this.procfs === undefined) return;
    try {
      for (const line of readFileSync(join(this.procfs, 'diskstats'), 'utf8').split('\n')) {
        const [major, minor, name] = line.trim().split(/\s+/);
        if (name !== undefined) this.names.set(`${major}:${minor}`, name);
      }
    } catch {
      // Without it devices keep their numbers.
    }
  }
}

/** A table's files in a directory, by what `*` stands for; the label of a file without `*` is ''. */
export function filesOf(directory: string, pattern: string): { file: string; label: string }[] {
  if (!pattern.includes('*')) return [{ file: pattern, label: '' }];
  const [before = '', after = ''] = pattern.split('*');
  return readdirSync(directory)
    .filter(
      (name) => name.startsWith(before) && name.endsWith(after) && name.length > before.length + after.length,
    )
    .map((name) => ({ file: name, label: name.slice(before.length, name.length - after.length) }))
    .filter(({ label }) => !label.includes('.'));
}

/** The attributes of a table's points, one object a label: equal ones need not be compared by what is in them. */
export class TableAttributes {
  private readonly devices: DeviceNames;
  private readonly known = new Map<TableReading, Map<string, Attributes>>();

  constructor(devices: DeviceNames) {
    this.devices = devices;
  }

  of(reading: TableReading, label: string): Attributes {
    let byLabel = this.known.get(reading);
    if (byLabel === undefined) {
      byLabel = new Map();
      this.known.set(reading, byLabel);
    }
    let attributes = byLabel.get(label);
    if (attributes === undefined) {
      attributes = { ...reading.attributes, ...this.labelled(reading.label, label) };
      byLabel.set(label, attributes);
    }
    return attributes;
  }

  private labelled(kind: TableReading['label'], label: string): Attributes {
    switch (kind) {
      case 'device':
        return { 'system.device': this.devices.of(label), 'linux.device.id': label };
      case 'cpu':
        return { 'cpu.logical_number': Number(label) };
      case 'page_size':
        return { 'container.hugetlb.page_size': label };
      case 'resource':
        return { 'container.resource': label };
    }
  }
}

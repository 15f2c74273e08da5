import type { TableReading } from '../catalogue/entry.ts';
import type { Attributes } from '../records/records.ts';
import type { DeviceNames } from './device-names.ts';

/**
 * Interns the attributes of a table's points: the same label gives the same object, so that the pipeline can
 * compare attributes by identity.
 */
export class TableAttributes {
  private readonly devices: DeviceNames;
  private readonly known = new Map<TableReading, Map<string, Attributes>>();

  constructor(devices: DeviceNames) {
    this.devices = devices;
  }

  forLabel(reading: TableReading, label: string): Attributes {
    let byLabel = this.known.get(reading);
    if (byLabel === undefined) {
      byLabel = new Map();
      this.known.set(reading, byLabel);
    }
    let attributes = byLabel.get(label);
    if (attributes === undefined) {
      attributes = { ...reading.attributes, ...this.labelAttributes(reading.label, label) };
      byLabel.set(label, attributes);
    }
    return attributes;
  }

  private labelAttributes(kind: TableReading['label'], label: string): Attributes {
    switch (kind) {
      case 'device':
        return { 'system.device': this.devices.nameOf(label), 'linux.device.id': label };
      case 'cpu':
        return { 'cpu.logical_number': Number(label) };
      case 'page_size':
        return { 'container.hugetlb.page_size': label };
      case 'resource':
        return { 'container.resource': label };
    }
  }
}

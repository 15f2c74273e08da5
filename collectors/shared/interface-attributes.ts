/** The attributes of a network interface, one object for each direction. */
import type { Attributes } from '../records/records.ts';
import { BoundedMap } from './bounded-map.ts';

/** How many interface names are remembered: containers can make up any number. */
const MAX_INTERFACES = 10_000;

export interface DirectionAttributes {
  readonly receive: Attributes;
  readonly transmit: Attributes;
}

/**
 * Interns the attributes of network interfaces: the same interface name gives the same objects, so that the
 * pipeline can compare attributes by identity.
 */
export class InterfaceAttributes {
  private readonly byName = new BoundedMap<string, DirectionAttributes>(MAX_INTERFACES);

  forInterface(name: string): DirectionAttributes {
    let attributes = this.byName.get(name);
    if (attributes === undefined) {
      const inDirection = (direction: string) => ({
        'network.interface.name': name,
        'network.io.direction': direction,
      });
      attributes = { receive: inDirection('receive'), transmit: inDirection('transmit') };
      this.byName.set(name, attributes);
    }
    return attributes;
  }
}

/** The attributes of a network interface, per direction. */
import type { Attributes } from '../records/records.ts';

/** Bound of remembered interface names: containers can make up any number. */
const MAX_INTERFACES = 10_000;

interface Sides {
  readonly receive: Attributes;
  readonly transmit: Attributes;
}

/** Attributes of interfaces, one object for equal ones, which need not be compared by what is in them. */
export class InterfaceSides {
  private readonly known = new Map<string, Sides>();

  of(name: string): Sides {
    let sides = this.known.get(name);
    if (sides === undefined) {
      // Names that containers make up do not add up for ever.
      if (this.known.size === MAX_INTERFACES) this.known.clear();
      const side = (direction: string) => ({
        'network.interface.name': name,
        'network.io.direction': direction,
      });
      sides = { receive: side('receive'), transmit: side('transmit') };
      this.known.set(name, sides);
    }
    return sides;
  }
}

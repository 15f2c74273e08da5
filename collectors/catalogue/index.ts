/** The whole catalogue. A new metric is a row in one of these files. */
import { cpu } from './cpu.ts';
import { daemon } from './daemon.ts';
import { disk } from './disk.ts';
import type { CatalogueEntry } from './entry.ts';
import { host } from './host.ts';
import { memory } from './memory.ts';
import { network } from './network.ts';
import { pressures } from './pressure.ts';
import { processes } from './process.ts';
import { resources } from './resources.ts';
import { state } from './state.ts';

export const catalogue = {
  ...cpu,
  ...memory,
  ...resources,
  ...disk,
  ...pressures,
  ...network,
  ...processes,
  ...state,
  ...daemon,
  ...host,
};

export const metrics: readonly CatalogueEntry[] = Object.values(catalogue);

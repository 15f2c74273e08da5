/**
 * Pressure stall information: Documentation/accounting/psi.rst. cgroup v2 has the files, also on a hybrid
 * host that uses v1 controllers.
 */
import { cadvisorName, type Field, fromField, MICRO, row } from './entry.ts';

type PressureResource = 'cpu' | 'memory' | 'io';

const total = (resource: PressureResource, line: string): Field => ({
  controller: 'unified',
  file: `${resource}.pressure`,
  location: { at: 'pair', line, key: 'total' },
  scale: MICRO,
});

const some = { 'container.pressure.stall': 'some' };
const full = { 'container.pressure.stall': 'full' };

const pressure = (resource: PressureResource) =>
  row(
    'pressure',
    `container.${resource}.pressure.time`,
    'counter',
    's',
    `Time that some or all (full) of the container's tasks waited for ${resource === 'io' ? 'I/O' : resource}`,
    {
      optIn: true,
      v2: [fromField(total(resource, 'some'), some), fromField(total(resource, 'full'), full)],
      cadvisor: [
        cadvisorName(`container_pressure_${resource}_waiting_seconds_total`, { when: some }),
        cadvisorName(`container_pressure_${resource}_stalled_seconds_total`, { when: full }),
      ],
    },
  );

export const pressures = {
  cpuPressure: pressure('cpu'),
  memoryPressure: pressure('memory'),
  ioPressure: pressure('io'),
};

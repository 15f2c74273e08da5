/** Decides which containers' logs are read, and how their lines are processed. */

import type { Container } from '../../collectors/records/records.ts';
import type { Destination } from '../../config/destinations.ts';
import type { Config } from '../../config/schema.ts';
import type { Telemetry } from '../../exporters/shared/telemetry.ts';
import { isReceiver } from './is-receiver.ts';
import { compileLogProcessing, isFollowed, type LogProcessing } from './log-processing.ts';

/** @returns a function that returns undefined for a container whose log is not read */
export const logProcessingFor =
  (
    config: Config['logs'],
    destinations: readonly Destination[],
    telemetry: Pick<Telemetry, 'warn'>,
  ): ((container: Container) => LogProcessing | undefined) =>
  (container) => {
    const { name, labels } = container;
    if (!isFollowed(labels)) return undefined;
    const receivesLogs = destinations.some(({ endpoints }) => isReceiver(container, endpoints.logs?.url));
    if (receivesLogs && labels['portlight.logs'] !== 'true') {
      telemetry.warn(
        `container ${name} receives the logs that are sent: its own log is not read, because each request would add to it. To read it anyway, set its label portlight.logs=true`,
      );
      return undefined;
    }
    return compileLogProcessing(config, labels, (mistake) => telemetry.warn(`container ${name}: ${mistake}`));
  };

/** Resource attributes that the configuration sets. */

import type { Attributes } from '../../collectors/records/records.ts';
import { parsePairs } from '../../config/receiver-options.ts';
import type { Config } from '../../config/schema.ts';

export interface ConfiguredAttributes {
  /** Of every record. */
  readonly everyRecord: Attributes;
  /** `service.*`: only of records about the agent and its host, because a container is another service. */
  readonly agentOnly: Attributes;
}

export function configuredAttributes({ resource_attributes, service_name }: Config): ConfiguredAttributes {
  const pairs = Object.entries(parsePairs(resource_attributes ?? '') ?? {});
  const isOfService = ([name]: [string, string]) => name.startsWith('service.');
  return {
    everyRecord: Object.fromEntries(pairs.filter((pair) => !isOfService(pair))),
    agentOnly: {
      ...Object.fromEntries(pairs.filter(isOfService)),
      ...(service_name !== undefined && { 'service.name': service_name }),
    },
  };
}

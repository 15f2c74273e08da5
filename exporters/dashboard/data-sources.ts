/** What is looked up when somebody looks, beside what batches tell. */
import type { Attributes, Container } from '../../collectors/records/records.ts';
import type { Status } from '../shared/status.ts';
import type { Confinement, ImageDetails } from './api.ts';

/** A namespace of a container, as the kernel tells it. */
export interface NamespaceMembership {
  readonly type: string;
  readonly inode: number;
  /** Whether it is the host's own; undefined where the host's cannot be seen. */
  readonly host: boolean | undefined;
}

export interface ListedImage {
  readonly id: string;
  readonly references: readonly string[];
  readonly createdAt: number | null;
  readonly size: number | null;
}

export interface DataSources {
  /** Name of this host. */
  readonly hostname: string;
  /** Attributes of the host's resource. */
  readonly attributes: Attributes;
  /** Every container that exists and is observed, by id. */
  containers(): ReadonlyMap<string, Container>;
  /** Whether the daemon's events are followed. */
  isConnected(): boolean;
  /** The namespaces of each running container, by id. */
  namespaces(): ReadonlyMap<string, readonly NamespaceMembership[]>;
  /** Null where it does not run, or may not be looked at. */
  confinement(container: Container): Confinement | null;
  /** Asks the daemon. */
  images(): Promise<readonly ListedImage[]>;
  /** Asks the daemon; undefined where there is no such image any more. */
  image(id: string): Promise<ImageDetails | undefined>;
  status(): Status;
  /** Time that each collector took in rounds, s, and its faults. */
  collectors(): readonly { readonly name: string; readonly seconds: number; readonly errors: number }[];
}

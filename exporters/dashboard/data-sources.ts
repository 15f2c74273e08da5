/** Data that the dashboard reads on request, in addition to the exported batches. */
import type { Attributes, Container } from '../../collectors/records/records.ts';
import type { Status } from '../shared/status.ts';
import type { Confinement, ImageDetails } from './api.ts';

/** A namespace of a container, from the kernel. */
export interface NamespaceMembership {
  readonly type: string;
  readonly inode: number;
  /** Whether it is the host's namespace; undefined if those of the host cannot be read. */
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
  /** Whether the agent is subscribed to the daemon's events. */
  isConnected(): boolean;
  /** The namespaces of each running container, by id. */
  namespaces(): ReadonlyMap<string, readonly NamespaceMembership[]>;
  /** Null if the container does not run, or the agent has no permission to read it. */
  confinement(container: Container): Confinement | null;
  /** Read from the daemon. */
  images(): Promise<readonly ListedImage[]>;
  /** Read from the daemon; undefined if the image does not exist. */
  image(id: string): Promise<ImageDetails | undefined>;
  status(): Status;
  /** Time that each collector spent in rounds, s, and its number of errors. */
  collectors(): readonly { readonly name: string; readonly seconds: number; readonly errors: number }[];
}

import type { Container } from '../records/records.ts';

/** What the agent does when a container begins to run, ends, or is gone. */
export interface ContainerListener {
  /** It was created or started, and is about to be inspected: what cannot wait for that begins now. */
  containerStarting(id: string, container: Container | undefined): void;
  /** It may have ended already: then its `pid` is 0, and its log is still there to read. */
  containerStarted(container: Container): void;
  containerChanged(container: Container): void;
  /** Resolves when nothing of its run is left to be read. */
  containerStopped(container: Container): Promise<void>;
  containerRemoved(container: Container): void;
}

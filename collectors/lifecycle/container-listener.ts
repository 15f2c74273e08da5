import type { Container } from '../records/records.ts';

/** Receives what happens to containers, to attach and detach collectors. */
export interface ContainerListener {
  /** The container was created or started and is about to be inspected: for what cannot wait for that. */
  containerStarting(id: string, container: Container | undefined): void;
  /** The container runs, or ran: if it exited already, its `pid` is 0, and its log can still be read. */
  containerStarted(container: Container): void;
  containerChanged(container: Container): void;
  /** Resolves when nothing of the run is left to read. */
  containerStopped(container: Container): Promise<void>;
  containerRemoved(container: Container): void;
}

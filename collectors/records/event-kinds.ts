/** Decides which events are routine. Views keep these apart, so that they do not evict the others. */

/** Whether an event belongs to docker exec. Health checks cause thousands of these. */
export const isExecEvent = (eventName: string): boolean => eventName.startsWith('docker.container.exec_');

/**
 * Whether an event is of docker exec, or of the inventory that the agent found at start.
 * @param inventoryChange the event's `portlight.inventory.change`
 */
export const isRoutineEvent = (eventName: string, inventoryChange: unknown): boolean =>
  isExecEvent(eventName) || inventoryChange === 'found';

/** An error that lasts for as long as the agent runs, such as a denied request: it is logged once. */
export class PermanentError extends Error {}

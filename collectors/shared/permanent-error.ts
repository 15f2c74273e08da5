/** An error that lasts as long as the agent runs, such as a refused request. It is logged once. */
export class PermanentError extends Error {}

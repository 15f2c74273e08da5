/**
 * The message of anything thrown. For the attempts of one connect, Node throws an AggregateError without a
 * message: the first attempt's message is used.
 */
export function errorMessage(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return errorMessage(error.errors[0]);
  return error instanceof Error ? error.message || error.name : String(error);
}

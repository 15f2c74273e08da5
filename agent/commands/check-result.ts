/** Results of `portlight check`. */

/** `warn`: the agent works, with some data missing; `fail`: the agent cannot do what is configured. */
export type CheckStatus = 'ok' | 'warn' | 'fail';

export interface CheckResult {
  readonly check: string;
  readonly status: CheckStatus;
  readonly found: string;
}

export const checkResult = (check: string, status: CheckStatus, found: string): CheckResult => ({
  check,
  status,
  found,
});

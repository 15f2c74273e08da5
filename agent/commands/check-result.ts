/** What `portlight check` finds. */

/** `warn`: the agent works and does without something; `fail`: it does not do what it was told to. */
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

/** What `portlight check` finds. */

/** `warn`: the agent works and does without something; `fail`: it does not do what it was told to. */
export type Status = 'ok' | 'warn' | 'fail';

export interface Finding {
  readonly check: string;
  readonly status: Status;
  readonly found: string;
}

export const finding = (check: string, status: Status, found: string): Finding => ({ check, status, found });

/** Exit codes of commands; docs/commands.md is generated from them. */
export const exitCodes = {
  done: { code: 0, what: 'Success.' },
  failed: {
    code: 1,
    what: 'Failure: the daemon does not answer, the container does not exist, or a check failed.',
  },
  usage: { code: 2, what: 'Invalid command line or configuration; one line per problem.' },
  interrupted: {
    code: 130,
    what: 'Interrupted with Ctrl-C. `run` shuts down instead: it exits with 0 once all records are delivered or stored on disk, with 1 on a second Ctrl-C.',
  },
} as const;

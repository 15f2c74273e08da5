/** What commands end with, as docs/commands.md has it. */
export const exitCodes = {
  done: { code: 0, what: 'It was done.' },
  failed: {
    code: 1,
    what: 'It could not be done: no daemon answers, there is no such container, `check` found what fails.',
  },
  usage: { code: 2, what: 'The command line or the configuration is wrong; each mistake has a line.' },
  interrupted: {
    code: 130,
    what: 'Ctrl-C ended it. `run` takes it as the request to stop: 0 when all that was left is delivered or on the disk, 1 at the second.',
  },
} as const;

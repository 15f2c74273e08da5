/** Runs the command line: prints each error on a line, and sets the exit code. */
import { errorMessage } from '../collectors/shared/error-message.ts';
import { ConfigError } from '../config/load.ts';
import { exitCodes } from './commands/exit-codes.ts';
import { createProgram } from './commands/program.ts';

export async function main(): Promise<void> {
  try {
    await createProgram().parseAsync();
  } catch (error) {
    const lines = error instanceof ConfigError ? error.problems : [errorMessage(error)];
    for (const line of lines) console.error(`portlight: ${line}`);
    process.exit(error instanceof ConfigError ? exitCodes.usage.code : exitCodes.failed.code);
  }
}

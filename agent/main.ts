/** The command line, with its errors told as lines and its exit codes. */
import { ConfigError } from '../config/load.ts';
import { exitCodes } from './exit-codes.ts';
import { createProgram } from './program.ts';
import { messageOf } from './telemetry.ts';

export async function main(): Promise<void> {
  try {
    await createProgram().parseAsync();
  } catch (error) {
    const lines = error instanceof ConfigError ? error.mistakes : [messageOf(error)];
    for (const line of lines) console.error(`portlight: ${line}`);
    process.exit(error instanceof ConfigError ? exitCodes.usage.code : exitCodes.failed.code);
  }
}

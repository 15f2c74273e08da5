/** `node run.mjs <file> <program>`: runs a program of leaks.mjs or harmless.mjs. */
const [file, program = ''] = process.argv.slice(2);
const programs = await import(`./${file}.mjs`);
await programs[program]();

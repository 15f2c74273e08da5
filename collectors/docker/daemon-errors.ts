/** What an error of a request says about the daemon. */

/** Error codes of connecting where there is no daemon. */
const REFUSED: ReadonlySet<string> = new Set(['ECONNREFUSED', 'ENOENT']);
/** Error codes of an answer that breaks off: the daemon may have ended meanwhile. */
const BROKEN: ReadonlySet<string> = new Set(['ECONNRESET', 'EPIPE']);

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? '';

export const isConnectionRefused = (error: unknown): boolean => REFUSED.has(codeOf(error));

export const isConnectionBroken = (error: unknown): boolean => BROKEN.has(codeOf(error));

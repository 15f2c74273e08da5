/** What takes longer than a moment says so on standard error, where that is a terminal, and leaves no trace. */
import { truncate } from '../../exporters/console/text.ts';

/** What is done by then is not worth a word, ms. */
const MOMENT_MS = 300;
const STEP_MS = 120;
const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];

/**
 * Waits for something, and shows what is waited for.
 * @param text what is done, and how far it has come
 */
export async function withProgress<T>(text: () => string, work: Promise<T>): Promise<T> {
  const { stderr } = process;
  if (!stderr.isTTY) return work;
  const begun = Date.now();
  let isShown = false;
  const timer = setInterval(() => {
    const elapsed = Date.now() - begun;
    if (elapsed < MOMENT_MS) return;
    isShown = true;
    const frame = FRAMES[Math.floor(elapsed / STEP_MS) % FRAMES.length];
    stderr.write(`\r\x1b[K${truncate(`${frame} ${text()}`, (stderr.columns || 80) - 1)}`);
  }, STEP_MS);
  try {
    return await work;
  } finally {
    clearInterval(timer);
    if (isShown) stderr.write('\r\x1b[K');
  }
}

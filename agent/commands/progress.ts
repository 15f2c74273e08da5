/** Progress of slow operations: shown on standard error if that is a terminal, and erased at the end. */
import { truncate } from '../../exporters/console/text.ts';

/** Delay before progress is shown. */
const DELAY_MS = 300;
const FRAME_MS = 120;
const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];

/**
 * Waits for an operation and shows its progress.
 * @param text the current step
 */
export async function withProgress<T>(text: () => string, work: Promise<T>): Promise<T> {
  const { stderr } = process;
  if (!stderr.isTTY) return work;
  const startedAt = Date.now();
  let isShown = false;
  const timer = setInterval(() => {
    const elapsed = Date.now() - startedAt;
    if (elapsed < DELAY_MS) return;
    isShown = true;
    const frame = FRAMES[Math.floor(elapsed / FRAME_MS) % FRAMES.length];
    stderr.write(`\r\x1b[K${truncate(`${frame} ${text()}`, (stderr.columns || 80) - 1)}`);
  }, FRAME_MS);
  try {
    return await work;
  } finally {
    clearInterval(timer);
    if (isShown) stderr.write('\r\x1b[K');
  }
}

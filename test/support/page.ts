/** The dashboard in a browser. */
import type { ExecutionContext } from 'ava';
import axe from 'axe-core';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { launchBrowser } from './browser.ts';

/** Timeout for immediate reactions; generous, for machines under load. */
export const SOON_MS = 20_000;

let browser: Promise<Browser> | undefined;

/** Closes the browser of this test file. */
export async function closeBrowser(): Promise<void> {
  await (await browser)?.close();
}

/** Opens a page that collects errors; closed when the test ends. */
export async function openPage(
  t: ExecutionContext,
  url: string,
  options: BrowserContextOptions = {},
): Promise<{ page: Page; pageErrors: string[] }> {
  browser ??= launchBrowser();
  const context = await (await browser).newContext({ viewport: { width: 1440, height: 900 }, ...options });
  t.teardown(() => context.close());
  context.setDefaultTimeout(SOON_MS);
  const page = await context.newPage();
  const pageErrors: string[] = [];
  page.on('pageerror', ({ message }) => pageErrors.push(message));
  page.on('console', (message) => {
    if (message.type() === 'error') pageErrors.push(message.text());
  });
  page.on('request', (request) => {
    if (new URL(request.url()).origin !== new URL(url).origin) pageErrors.push(`requested ${request.url()}`);
  });
  await page.goto(url);
  return { page, pageErrors };
}

/** Violations of WCAG 2.2 A and AA that axe-core finds. */
export async function violations(page: Page): Promise<string[]> {
  // The page's policy does not apply to scripts that the debugger evaluates.
  await page.evaluate(axe.source);
  const found = await page.evaluate(async () => {
    const { axe: checker } = globalThis as unknown as { axe: typeof axe };
    const { violations: all } = await checker.run({
      runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
    });
    return all.map(
      ({ id, nodes }) =>
        `${id}: ${nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`).join('\n')}`,
    );
  });
  return found;
}

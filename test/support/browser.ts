/** Debian's Chromium, as a person's browser. */
import { existsSync } from 'node:fs';
import { type Browser, chromium } from 'playwright-core';

/** Debian packages that it comes with, and the letters that pages are shown in. */
export const browserPackages = ['chromium', 'fonts-dejavu-core'] as const;

const PATHS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/** @throws {Error} when there is none */
export function launchBrowser(): Promise<Browser> {
  const executablePath = PATHS.find((path) => existsSync(path));
  if (executablePath === undefined) throw new Error('there is no browser: install the package chromium');
  // As root, in a container, there is no sandbox to be had; the pages are our own.
  return chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
}

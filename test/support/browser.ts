/** The browser of tests: Debian's Chromium. */
import { existsSync } from 'node:fs';
import { type Browser, chromium } from 'playwright-core';

/** Debian packages of the browser and a font. */
export const browserPackages = ['chromium', 'fonts-dejavu-core'] as const;

const PATHS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/** @throws {Error} if no browser is installed */
export function launchBrowser(): Promise<Browser> {
  const executablePath = PATHS.find((path) => existsSync(path));
  if (executablePath === undefined) throw new Error('no browser found: install the package chromium');
  // Chromium's sandbox does not work as root in a container. The tests open their own pages only.
  return chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
}

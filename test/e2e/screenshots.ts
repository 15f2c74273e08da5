/** `npm run screenshots`: pictures of each view with synthetic data, for README and docs; writes docs/images. */
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { canInstall, install } from '../../agent/setup/packages.ts';
import { buildPage } from '../../agent/setup/page.ts';
import { browserPackages, launchBrowser } from '../support/browser.ts';
import { startDemoHour } from '../support/demo-hour.ts';

const images = process.argv[2] ?? join(import.meta.dirname, '../../docs/images');
mkdirSync(images, { recursive: true });

interface Picture {
  readonly name: string;
  readonly hash: string;
  readonly scheme?: 'dark' | 'light';
  readonly size?: { readonly width: number; readonly height: number };
}

if (canInstall()) install([...browserPackages, 'pngquant']);
buildPage();
const simulated = await startDemoHour();
const checkout = `#/container/${simulated.named('shop-checkout-1').id}`;
const PHONE = { width: 390, height: 800 };
const pictures: readonly Picture[] = [
  { name: 'containers', hash: '#/containers' },
  { name: 'containers-light', hash: '#/containers', scheme: 'light' },
  { name: 'containers-phone', hash: '#/containers', size: PHONE },
  { name: 'container', hash: checkout },
  { name: 'container-light', hash: checkout, scheme: 'light' },
  { name: 'container-phone', hash: checkout, size: PHONE },
  { name: 'events', hash: '#/events' },
  { name: 'alerts', hash: '#/alerts' },
  { name: 'namespaces', hash: '#/namespaces' },
  { name: 'host', hash: '#/host' },
  { name: 'agent', hash: '#/agent' },
];
const browser = await launchBrowser();
try {
  for (const { name, hash, scheme = 'dark', size = { width: 1440, height: 860 } } of pictures) {
    const page = await browser.newPage({ viewport: size, colorScheme: scheme });
    await page.goto(`${simulated.url}/${hash}`);
    await page.getByText('live', { exact: true }).waitFor();
    await sleep(900);
    const path = join(images, `${name}.png`);
    await page.screenshot({ path });
    execFileSync('pngquant', ['--force', '--strip', '--quality', '70-98', '--output', path, path]);
    await page.close();
  }
} finally {
  await browser.close();
  await simulated.stop();
}

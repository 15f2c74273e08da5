/** The page in a browser, with synthetic data: 500 containers, alerts, keyboard, phones, accessibility. */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { LIVE_INTERVAL_MS } from '../../agent/rounds/live-sampler.ts';
import { startDemoHour } from '../support/demo-hour.ts';
import { closeBrowser, openPage, violations } from '../support/page.ts';
import { SimulatedHost } from '../support/simulated-host.ts';
import { crowd } from '../support/synthetic-containers.ts';
import { waitFor } from '../support/wait.ts';

test.after.always(closeBrowser);

/** Scrolls the list for three seconds and measures each frame; runs in the page. */
const SCROLL = `(async () => {
  const list = document.querySelector('section.list');
  const times = [];
  const begun = performance.now();
  for (let now = begun; now - begun < 3000; ) {
    now = await new Promise(requestAnimationFrame);
    times.push(now);
    list.scrollTop += 60;
  }
  const gaps = times.slice(1).map((time, index) => time - times[index]);
  const seconds = (times.at(-1) - times[0]) / 1000;
  return { rate: gaps.length / seconds, longest: Math.max(...gaps), top: list.scrollTop };
})()`;

interface Frames {
  /** Frames per second. */
  readonly rate: number;
  /** ms */
  readonly longest: number;
  /** Final scroll position of the list, px. */
  readonly top: number;
}

/** How much the content is wider than the window, px; runs in the page. */
const EXCESS = `Math.max(...[document.documentElement, document.querySelector('main')]
  .map((each) => each.scrollWidth - each.clientWidth))`;

const VIEWS = ['containers', 'events', 'alerts', 'namespaces', 'host', 'agent'];

test.serial('the page is 150 KB at most, compressed', (t) => {
  const page = join(import.meta.dirname, '../../dist/page');
  const sizes = readdirSync(page, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.gz'))
    .map((name) => statSync(join(page, name)).size);
  const sum = sizes.reduce((total, size) => total + size, 0);
  t.log(`${Math.round(sum / 1000)} KB`);
  t.true(sizes.length >= 3 && sum <= 150_000);
});

// Serial: other pages would cost frames.
test.serial('of 500 containers only visible ones are rendered, and the list scrolls smoothly', async (t) => {
  const simulated = await SimulatedHost.start(crowd(500));
  t.teardown(() => simulated.stop());
  await simulated.past(600_000);
  const { page, pageErrors } = await openPage(t, simulated.url);
  await page.getByRole('link', { name: 'team-00-api-1' }).waitFor();
  t.true((await page.locator('.rows .row').count()) < 80);
  await waitFor('small charts', async () => (await page.locator('.spark.cpu .line[d^="M"]').count()) > 10);
  // Live samples arrive meanwhile, at their usual rate.
  const rounds = setInterval(() => void simulated.round(), LIVE_INTERVAL_MS);
  const frames = (await page.evaluate(SCROLL)) as Frames;
  clearInterval(rounds);
  t.log(
    `${frames.rate.toFixed(0)} frames/s while scrolling, the longest took ${frames.longest.toFixed(0)} ms`,
  );
  t.true(frames.top > 1000);
  t.true((await page.locator('.rows .row').count()) < 80);
  await page.getByRole('combobox', { name: 'Group by' }).selectOption('service');
  await page.getByRole('searchbox').fill('team-49 proxy');
  await page.getByRole('link', { name: 'team-49-proxy-1' }).waitFor();
  await page.getByText('1 of 500').waitFor();
  t.deepEqual(pageErrors, []);
});

test('an alert is shown at its container, in the alerts view and on the timeline', async (t) => {
  const simulated = await startDemoHour();
  t.teardown(() => simulated.stop());
  const { page, pageErrors } = await openPage(t, simulated.url);
  await page
    .locator('.row', { hasText: 'shop-checkout-1' })
    .getByText('memory near its limit')
    .first()
    .waitFor();
  await page.getByRole('link', { name: /^Alerts/ }).click();
  const alert = page
    .getByRole('article')
    .filter({ hasText: 'shop-checkout-1 uses 93 % of its memory limit' });
  await alert.getByText('Evidence').click();
  await alert.getByText('payment failed: upstream timed out').waitFor();
  await alert.getByRole('link', { name: 'shop-checkout-1' }).click();
  await page.getByRole('heading', { level: 1, name: 'shop-checkout-1' }).waitFor();
  await page.locator('.strip .span.critical').first().waitFor();
  await page.locator('.strip [data-event="docker.container.oom"]').first().waitFor();
  // All alerts are resolved.
  await simulated.alerts([]);
  await waitFor('no badge', async () => (await page.locator('.subject .badge').count()) === 0);
  t.deepEqual(pageErrors, []);
});

test('charts share crosshair and zoom', async (t) => {
  const simulated = await startDemoHour();
  t.teardown(() => simulated.stop());
  const { page, pageErrors } = await openPage(
    t,
    `${simulated.url}/#/container/${simulated.named('shop-checkout-1').id}`,
  );
  const charts = page.locator('.plot .u-over');
  await charts.nth(2).waitFor();
  const box = (await charts.first().boundingBox())!;
  await page.mouse.move(box.x + box.width / 2, box.y + 40);
  const crosshairs = async () =>
    (await page.evaluate(
      "[...document.querySelectorAll('.u-cursor-x')].map((each) => each.style.transform)",
    )) as string[];
  await waitFor('one crosshair', async () => {
    const all = await crosshairs();
    return all.length >= 5 && all[0] !== '' && new Set(all).size === 1;
  });
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.75, box.y + 40, { steps: 4 });
  await page.mouse.up();
  await page.getByRole('button', { name: 'reset zoom' }).click();
  await page.getByRole('button', { name: 'all', pressed: true }).waitFor();
  t.deepEqual(pageErrors, []);
});

test('all views are reachable with the keyboard', async (t) => {
  const simulated = await startDemoHour();
  t.teardown(() => simulated.stop());
  const { page, pageErrors } = await openPage(t, simulated.url);
  await page.getByRole('link', { name: 'blog-ghost-1' }).waitFor();
  await page.keyboard.press('j');
  await page.keyboard.press('j');
  await page.keyboard.press('j');
  await page.keyboard.press('k');
  await page.locator('a:focus', { hasText: 'blog-mysql-1' }).waitFor();
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { level: 1, name: 'blog-mysql-1' }).waitFor();
  await page.keyboard.press('e');
  await page.getByRole('tab', { name: 'Events', selected: true }).waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('table', { name: 'Containers' }).waitFor();
  await page.keyboard.press('/');
  await page.keyboard.type('loki');
  await page.keyboard.press('Escape');
  await page.keyboard.press('?');
  await page.getByRole('dialog', { name: 'Keyboard' }).waitFor();
  await page.keyboard.press('Escape');
  const before = await page.evaluate('document.documentElement.dataset.theme');
  await page.keyboard.press('t');
  t.not(await page.evaluate('document.documentElement.dataset.theme'), before);
  await page.keyboard.press('4');
  await page.getByRole('heading', { name: 'Shared between containers' }).waitFor();
  await page.locator('.share', { hasText: 'shop-checkout-proxy-1' }).getByText('net').waitFor();
  t.deepEqual(pageErrors, []);
});

for (const colorScheme of ['dark', 'light'] as const) {
  test(`axe-core finds no violations in any view, ${colorScheme}`, async (t) => {
    const simulated = await startDemoHour();
    t.teardown(() => simulated.stop());
    const { page, pageErrors } = await openPage(t, simulated.url, { colorScheme });
    await page.getByRole('link', { name: 'shop-web-1' }).waitFor();
    for (const view of VIEWS) {
      await page.goto(`${simulated.url}/#/${view}`);
      await page.getByRole('heading', { level: 1, name: view, exact: false }).waitFor({ state: 'attached' });
      if (view === 'agent') await page.getByText('Dashboard memory').waitFor();
      t.deepEqual(await violations(page), [], view);
    }
    await page.goto(`${simulated.url}/#/container/${simulated.named('shop-checkout-1').id}`);
    for (const tab of ['Log', 'Events', 'Details']) {
      await page.getByRole('tab', { name: tab }).click();
      await page.locator('[role=tabpanel] > *').first().waitFor();
      t.deepEqual(await violations(page), [], tab);
    }
    await page.keyboard.press('?');
    t.deepEqual(await violations(page), [], 'help');
    // It does find a violation.
    await page.evaluate("document.documentElement.style.setProperty('--text', 'var(--muted)')");
    await page.evaluate("document.documentElement.style.setProperty('--muted', 'var(--panel)')");
    t.regex((await violations(page)).join(), /color-contrast/);
    t.deepEqual(pageErrors, []);
  });
}

test('no view is wider than a phone', async (t) => {
  const simulated = await startDemoHour();
  t.teardown(() => simulated.stop());
  const { page, pageErrors } = await openPage(t, simulated.url, { viewport: { width: 360, height: 740 } });
  await page.getByRole('link', { name: 'blog-ghost-1' }).waitFor();
  const views = [...VIEWS, `container/${simulated.named('shop-checkout-1').id}`];
  for (const view of views) {
    await page.goto(`${simulated.url}/#/${view}`);
    await page.getByRole('heading', { level: 1 }).waitFor({ state: 'attached' });
    const excess = (await page.evaluate(EXCESS)) as number;
    t.true(excess <= 0, `${view}: ${excess} px too wide`);
  }
  t.deepEqual(pageErrors, []);
});

test('health checks do not evict other events', async (t) => {
  const simulated = await startDemoHour();
  t.teardown(() => simulated.stop());
  const { page, pageErrors } = await openPage(t, `${simulated.url}/#/events`);
  await page.getByText('live', { exact: true }).waitFor();
  await simulated.event('shop-web-1', 'docker.container.update', 'shop-web-1 was given other limits');
  await page.getByText('was given other limits').waitFor();
  for (let check = 0; check < 1100; check++)
    await simulated.event('shop-web-1', 'docker.container.exec_start', `check ${check}`, {
      time: Date.now() + check,
    });
  await simulated.event('shop-web-1', 'docker.container.update', 'shop-web-1 was given them back');
  await page.getByText('was given them back').waitFor();
  t.is(await page.getByText('was given other limits').count(), 1);
  // The events of the health checks are shown at the container.
  await page.goto(`${simulated.url}/#/container/${simulated.named('shop-web-1').id}`);
  await page.getByRole('tab', { name: 'Events' }).click();
  await page.getByText('check 1099').waitFor();
  await page.getByText('was given other limits').first().waitFor();
  t.deepEqual(pageErrors, []);
});

test('Enter activates the focused element, even if a container is selected', async (t) => {
  const simulated = await startDemoHour();
  t.teardown(() => simulated.stop());
  const { page, pageErrors } = await openPage(t, simulated.url);
  await page.getByRole('link', { name: 'blog-ghost-1' }).waitFor();
  await page.keyboard.press('j');
  await page.locator('.row a:focus').waitFor();
  await page.getByRole('columnheader', { name: 'Memory' }).getByRole('button').focus();
  await page.keyboard.press('Enter');
  await page.locator('[aria-sort="descending"]', { hasText: 'Memory' }).waitFor();
  await page.getByRole('link', { name: 'Containers', exact: true }).focus();
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { level: 1, name: 'Events' }).waitFor({ state: 'attached' });
  t.deepEqual(pageErrors, []);
});

test('a broken address shows the containers', async (t) => {
  const simulated = await startDemoHour();
  t.teardown(() => simulated.stop());
  for (const broken of ['#/container/%', '#token=%']) {
    const { page, pageErrors } = await openPage(t, `${simulated.url}/${broken}`);
    await page.getByRole('link', { name: 'blog-ghost-1' }).waitFor();
    await page.getByText('live', { exact: true }).waitFor();
    t.deepEqual(pageErrors, [], broken);
  }
});

test('an agent that hangs is not shown as live', async (t) => {
  const simulated = await startDemoHour();
  t.teardown(() => simulated.stop());
  const { page } = await openPage(t, 'about:blank');
  await page.clock.install();
  await page.goto(simulated.url);
  await page.getByText('live', { exact: true }).waitFor();
  // It still accepts connections, but never answers.
  await page.route('**/api/**', () => {});
  await page.clock.runFor(30_000);
  t.is(await page.getByText('live', { exact: true }).count(), 1);
  // A message that was in transit may have arrived meanwhile.
  await page.clock.runFor(45_000);
  await page.getByText(/^no answer for/).waitFor();
  await page.unroute('**/api/**');
  await page.clock.runFor(60_000);
  await page.getByText('live', { exact: true }).waitFor();
});

test('no search blocks the page, and new lines that match a pattern appear', async (t) => {
  const simulated = await startDemoHour();
  t.teardown(() => simulated.stop());
  const { page, pageErrors } = await openPage(
    t,
    `${simulated.url}/#/container/${simulated.named('blog-ghost-1').id}`,
  );
  const lines = page.getByRole('log');
  const search = page.getByRole('searchbox', { name: 'Search the log' });
  simulated.log('blog-ghost-1', [[Date.now(), `${'a'.repeat(200)}!`]]);
  await lines.getByText('aaa!').waitFor();
  await search.fill('^(a+)+$');
  await lines.getByText('No matching lines').waitFor();
  simulated.log('blog-ghost-1', [
    [Date.now(), `${'a'.repeat(300)}!`],
    [Date.now(), 'aaaa'],
  ]);
  await lines.getByText('aaaa', { exact: true }).waitFor();
  t.is(await lines.locator('.line').count(), 1);
  await search.fill('AAAA');
  await lines.locator('mark', { hasText: 'aaaa' }).first().waitFor();
  t.deepEqual(pageErrors, []);
});

test('a paused log stays paused when the stream reconnects, and missed lines wait', async (t) => {
  const simulated = await startDemoHour();
  t.teardown(() => simulated.stop());
  const { page } = await openPage(t, 'about:blank');
  await page.clock.install();
  await page.goto(`${simulated.url}/#/container/${simulated.named('shop-checkout-1').id}`);
  const lines = page.getByRole('log');
  await lines.locator('.line').first().waitFor();
  await page.clock.runFor(1000);
  await page.getByRole('button', { name: 'Pause' }).click();
  const before = await lines.locator('.line').count();
  await page.route('**/api/**', () => {});
  await page.clock.runFor(45_000);
  await page.getByText(/^no answer for/).waitFor();
  simulated.log('shop-checkout-1', [[Date.now(), 'written meanwhile']]);
  await page.unroute('**/api/**');
  await page.clock.runFor(60_000);
  await page.getByRole('button', { name: 'Paused, 1 new line' }).waitFor();
  t.is(await lines.locator('.line').count(), before);
  await page.getByRole('button', { name: 'Resume' }).click();
  await lines.getByText('written meanwhile').waitFor();
});

test('after loading many older lines, resuming shows the newest without a gap', async (t) => {
  const simulated = await startDemoHour();
  t.teardown(() => simulated.stop());
  const begun = Date.now() - 60_000;
  simulated.log(
    'blog-ghost-1',
    Array.from({ length: 2600 }, (_, index) => [begun + index, `line ${index}.`] as const),
  );
  const { page, pageErrors } = await openPage(
    t,
    `${simulated.url}/#/container/${simulated.named('blog-ghost-1').id}`,
  );
  const lines = page.getByRole('log');
  await lines.getByText('line 2599.').waitFor();
  for (const next of [1700, 1200, 700, 200]) {
    await page.getByRole('button', { name: 'Older lines' }).click();
    await waitFor(
      'older lines',
      async () => (await lines.getByText(`line ${next}.`, { exact: true }).count()) === 1,
    );
  }
  t.is(await lines.getByText('line 2599.', { exact: true }).count(), 0);
  await page.getByRole('button', { name: 'Resume' }).click();
  await lines.getByText('line 2599.', { exact: true }).waitFor();
  t.deepEqual(pageErrors, []);
});

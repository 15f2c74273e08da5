/** The dashboard in a browser, with a real agent and daemon. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { listenUrl, spawnAgent } from '../support/agent.ts';
import { ensureImage, execute, runContainer, uniqueName } from '../support/docker.ts';
import { closeBrowser, openPage } from '../support/page.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { waitFor } from '../support/wait.ts';

test.before(ensureImage);
test.after.always(closeBrowser);

const PRODUCTS = ['apples', 'bread', 'cheese'];

test('a new container appears with its log, which can be searched, and its exit is on the timeline', async (t) => {
  const name = uniqueName('seen');
  const agent = await spawnAgent(t, {
    // All measurements are live samples.
    args: ['--interval', '1h'],
    variables: { PORTLIGHT_CONTAINERS_INCLUDE: `name=${name}*` },
  });
  const { page, pageErrors } = await openPage(t, await listenUrl(agent));
  await page.getByText('live', { exact: true }).waitFor();
  await page.getByText(/^No containers on .* yet$/).waitFor();

  const container = await runContainer(t, {
    name,
    script: `for what in ${PRODUCTS.join(' ')}; do echo "sold $what"; done
      echo '{"level":"warn","msg":"shelf is empty","aisle":7}'; echo '{"level":"error","msg":"till is broken"}'
      trap 'exit 3' TERM; while :; do sleep 0.1; done`,
    host: { Memory: 64 * 1024 ** 2 },
  });
  const started = performance.now();
  await page.getByRole('link', { name }).waitFor();
  t.log(`appeared ${Math.round(performance.now() - started)} ms after its start was answered`);

  await page
    .locator('.row', { hasText: name })
    .locator('.memory .figure', { hasText: /B .* %/ })
    .waitFor();
  await page.getByRole('link', { name }).click();
  await page.getByRole('heading', { level: 1, name }).waitFor();
  const lines = page.getByRole('log');
  for (const what of PRODUCTS) await lines.getByText(`sold ${what}`, { exact: true }).waitFor();
  await lines.locator('.line.warn', { hasText: 'shelf is empty aisle=7' }).waitFor();
  await lines.locator('.line.error', { hasText: 'till is broken' }).waitFor();

  // New lines appear without a reload.
  await execute(container, 'echo "sold dates" > /proc/1/fd/1');
  await lines.getByText('sold dates', { exact: true }).waitFor();

  const search = page.getByRole('searchbox', { name: 'Search the log' });
  await search.fill('CHEESE');
  await lines.locator('mark', { hasText: 'cheese' }).waitFor();
  await waitFor('only matching lines', async () => (await lines.locator('.line').count()) === 1);
  await search.fill('^sold (ap|da)');
  await waitFor('lines that match the pattern', async () => (await lines.locator('.line').count()) === 2);
  await search.fill('');
  await page.getByRole('combobox', { name: 'Severity' }).selectOption('13');
  await waitFor('warnings and errors', async () => (await lines.locator('.line').count()) === 2);
  await page.getByRole('combobox', { name: 'Severity' }).selectOption('0');
  await waitFor('all of them', async () => (await lines.locator('.line').count()) === 6);

  await page.getByRole('button', { name: 'Pause' }).click();
  await execute(container, 'echo "sold eggs" > /proc/1/fd/1');
  await page.getByRole('button', { name: 'Paused, 1 new line' }).waitFor();
  t.is(await lines.getByText('sold eggs').count(), 0);
  await page.getByRole('button', { name: 'Resume' }).click();
  await lines.getByText('sold eggs').waitFor();

  await page.getByRole('tab', { name: 'Details' }).click();
  await page.getByRole('row', { name: /^Memory .*64\.0 MiB/ }).waitFor();
  await page.getByRole('row', { name: /^net \d+ private/ }).waitFor();
  await page.getByText('Added capabilities').waitFor();
  await page.getByRole('list', { name: /^Layers/ }).waitFor();

  await container.kill({ signal: 'SIGTERM' });
  const tick = page.locator('[data-event="docker.container.die"]');
  await tick.waitFor();
  t.regex((await tick.getAttribute('aria-label'))!, new RegExp(name));
  await tick.click();
  await page.locator('.events details[open]', { hasText: name }).waitFor();
  await page.locator('.subject .word', { hasText: 'exited (3)' }).waitFor();
  await page.getByRole('link', { name: 'All containers' }).click();
  await page.locator('.row.ended', { hasText: name }).waitFor();
  t.deepEqual(pageErrors, []);
});

test('containers are grouped by their Compose project, sorted and filtered', async (t) => {
  const name = uniqueName('grouped');
  for (const [service, project] of [
    ['store', 'till'],
    ['web', 'till'],
    ['cron', 'night'],
  ])
    await runContainer(t, {
      name: `${name}-${service}`,
      script: service === 'web' ? 'while :; do :; done' : 'sleep 600',
      labels: { 'com.docker.compose.project': project!, 'com.docker.compose.service': service! },
      host: { NanoCpus: 2e8 },
    });
  const agent = await spawnAgent(t, { variables: { PORTLIGHT_CONTAINERS_INCLUDE: `name=${name}*` } });
  const { page, pageErrors } = await openPage(t, await listenUrl(agent));
  await page.getByRole('button', { name: /^till 2 of 2/ }).waitFor();
  const names = () => page.locator('.rows .row .cell.name a').allInnerTexts();
  const named = (...services: string[]) => services.map((service) => `${name}-${service}`);
  t.deepEqual(await names(), named('cron', 'store', 'web'));
  await page.getByRole('button', { name: /^till/ }).click();
  await waitFor('a folded group', async () => (await names()).length === 1);
  await page.getByRole('combobox', { name: 'Group by' }).selectOption('none');
  await waitFor('no group', async () => (await names()).length === 3);
  await page.getByRole('button', { name: 'CPU' }).click();
  await waitFor('the busiest first', async () => (await names())[0] === `${name}-web`);
  t.is(await page.locator('[aria-sort="descending"]').innerText(), 'CPU ▾');
  await page.keyboard.press('/');
  await page.keyboard.type('till store');
  await waitFor('matching containers', async () => (await names()).join() === `${name}-store`);
  await page.getByText('1 of 3').waitFor();
  t.deepEqual(pageErrors, []);
});

test('foreign text stays text: markup, a line of a megabyte, bidirectional controls', async (t) => {
  const name = uniqueName('hostile');
  const evil = '<img src=x onerror="document.title=1"><script>document.title=2</script>';
  await runContainer(t, {
    name,
    script: `cat <<'END'
${evil}
first \u202e drawkcab \u2066 nested
\u001b[31mred\u001b[0m and \u0007 a bell
END
      head -c 1000000 /dev/zero | tr '\\0' 'm'; echo; echo last; sleep 600`,
    labels: { 'com.docker.compose.project': evil, 'com.docker.compose.service': `\u202e${evil}` },
  });
  const agent = await spawnAgent(t, {
    variables: { PORTLIGHT_CONTAINERS_INCLUDE: `name=${name}*`, PORTLIGHT_LOGS_FIRST_SIGHT: 'start' },
  });
  const url = await listenUrl(agent);
  const { page, pageErrors } = await openPage(t, url);
  let dialogs = 0;
  page.on('dialog', (dialog) => {
    dialogs++;
    void dialog.dismiss();
  });
  await page.getByRole('button', { name: evil }).waitFor();
  await page.getByRole('link', { name }).click();
  const lines = page.getByRole('log');
  await lines.getByText('last', { exact: true }).waitFor();
  await lines.getByText(evil).waitFor();
  await lines.getByText('red and', { exact: false }).waitFor();
  const long = lines.locator('.line', { hasText: 'more characters' });
  // Invisible lines have no layout, and therefore no inner text.
  t.regex((await long.textContent())!, /m{1000}\s*… 983,616 more characters/);
  // The time stays in front of the text.
  const turned = lines.locator('.line', { hasText: 'drawkcab' });
  await turned.scrollIntoViewIfNeeded();
  const [time, text] = [
    await turned.locator('time').boundingBox(),
    await turned.locator('.text').boundingBox(),
  ];
  t.true(time!.x + time!.width <= text!.x);
  for (const tag of ['img', 'script', 'iframe'])
    t.is(await page.locator(`body ${tag}`).count(), 0, `${tag} out of text`);
  await page.getByRole('searchbox', { name: 'Search the log' }).fill('<script>');
  await lines.locator('mark', { hasText: '<script>' }).waitFor();
  t.is(await page.title(), 'Portlight');
  t.is(dialogs, 0);
  t.deepEqual(pageErrors, []);
});

test('the page reconnects after a restart of the agent, and shows what it missed', async (t) => {
  const name = uniqueName('again');
  const variables = { PORTLIGHT_CONTAINERS_INCLUDE: `name=${name}*` };
  const first = await spawnAgent(t, { variables });
  const url = await listenUrl(first);
  const { page } = await openPage(t, url);
  await page.getByText('live', { exact: true }).waitFor();
  await first.stop();
  await page.getByText(/^no answer for/).waitFor();
  await runContainer(t, { name, script: 'sleep 600' });
  await spawnAgent(t, { variables, args: ['--listen', new URL(url).host] });
  await page.getByRole('link', { name }).waitFor();
  await page.getByText('live', { exact: true }).waitFor();
  t.is(await page.getByText(/^no answer for/).count(), 0);
});

test('a container near its memory limit has an alert with evidence, until it recovers', async (t) => {
  const name = uniqueName('full');
  const config = join(temporaryDirectory(t), 'portlight.yaml');
  writeFileSync(config, 'alerts: {rules: [{name: memory, for: 1s}]}\n');
  const agent = await spawnAgent(t, {
    args: ['--config', config],
    variables: { PORTLIGHT_CONTAINERS_INCLUDE: `name=${name}*` },
  });
  const { page, pageErrors } = await openPage(t, await listenUrl(agent));
  const container = await runContainer(t, {
    name,
    script: 'echo filling up; head -c 56m /dev/zero > /dev/shm/a; while :; do sleep 0.2; done',
    host: { Memory: 60 * 1024 ** 2, MemorySwap: 60 * 1024 ** 2, ShmSize: 64 * 1024 ** 2 },
  });
  await page.locator('.row', { hasText: name }).locator('.badge', { hasText: 'memory' }).first().waitFor();
  await page.getByRole('link', { name: /^Alerts/ }).click();
  // A pending alert becomes another element once it fires.
  const alert = page.locator('article:not(.pending)').filter({ hasText: 'of its memory limit of 60 MiB' });
  await alert.getByText('Evidence').click();
  await alert.getByText('filling up').waitFor();
  await execute(container, 'rm /dev/shm/a');
  await page.locator('article.resolved', { hasText: 'of its memory limit of 60 MiB' }).waitFor();
  t.deepEqual(pageErrors, []);
});

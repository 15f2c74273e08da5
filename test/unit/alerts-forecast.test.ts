import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { timeToReach } from '../../agent/alerts/forecast.ts';
import { SampleRing } from '../../agent/alerts/sample-ring.ts';
import { alertsPage } from '../../agent/setup/alerts-page.ts';
import { score, scoreSection } from '../forecast/score.ts';
import { memory, Scene, watchedContainer } from '../support/alerts.ts';

const MINUTE = 60_000;

/** Minutes until 100 is reached, from values that are 10 s apart. */
function forecast(values: readonly number[], more: { highestBefore?: number; floor?: number } = {}): number {
  const history = new SampleRing([0], values.length + 1, 10_000);
  values.forEach((value, index) => {
    history.add(index * 10_000, Float64Array.of(value));
  });
  const reached = timeToReach(history, {
    selector: 0,
    window: 10 * MINUTE,
    now: (values.length - 1) * 10_000,
    value: values.at(-1)!,
    level: 100,
    isRoom: false,
    floor: more.floor ?? 30,
    ahead: 15 * MINUTE,
    highestBefore: () => more.highestBefore ?? Number.NEGATIVE_INFINITY,
  });
  return reached / MINUTE;
}

const series = (count: number, of: (index: number) => number) =>
  Array.from({ length: count }, (_, index) => of(index));
const near = (value: number, expected: number) => Math.abs(value - expected) < expected * 0.15;

test('a steady rise reaches the level when it does, with noise and steps too', (t) => {
  // 1 a minute: 40 minutes are left, then 10.
  t.true(near(forecast(series(61, (index) => 50 + index / 6)), 40));
  t.true(near(forecast(series(61, (index) => 80 + index / 6)), 10));
  t.true(near(forecast(series(61, (index) => 80 + index / 6 + ((index * 7919) % 10) / 10)), 9.5));
  t.true(near(forecast(series(61, (index) => 78 + 2 * Math.floor(index / 12))), 12));
  t.is(forecast(series(61, (index) => 95 + index / 6)), 0);
});

test('what was seen for less than three quarters of the window is not judged', (t) => {
  t.is(forecast(series(44, (index) => 80 + index / 6)), Number.NaN);
  t.true(Number.isFinite(forecast(series(48, (index) => 80 + index / 6))));
});

test('a saw-tooth has no trend, but the floor below it can have one', (t) => {
  const tooth = (index: number) => ((index + 1) % 12) * 3;
  t.is(forecast(series(61, (index) => 55 + tooth(index))), Number.POSITIVE_INFINITY);
  t.true(near(forecast(series(61, (index) => 50 + tooth(index) / 2 + index / 4)), 12));
});

test('a plateau, a fall, and a rise that slows down are none', (t) => {
  t.is(forecast(series(61, () => 90)), Number.POSITIVE_INFINITY);
  t.is(forecast(series(61, (index) => 95 - index / 6)), Number.POSITIVE_INFINITY);
  t.is(forecast(series(61, (index) => Math.min(80, 70 + index))), Number.POSITIVE_INFINITY);
  t.true(forecast(series(61, (index) => 90 - 40 * Math.exp(-index / 12))) > 60);
});

test('what is low, or was as high before, is none', (t) => {
  const rise = series(61, (index) => index / 3);
  t.is(forecast(rise), Number.POSITIVE_INFINITY);
  t.true(Number.isFinite(forecast(rise, { floor: 0 })));
  const high = series(61, (index) => 80 + index / 6);
  t.is(forecast(high, { highestBefore: 91 }), Number.POSITIVE_INFINITY);
  t.true(Number.isFinite(forecast(high, { highestBefore: 87 })));
});

test('gaps are no zeros', (t) => {
  t.true(near(forecast(series(61, (index) => (index % 5 === 0 ? Number.NaN : 80 + index / 6))), 10));
});

test('the rule warns of a leak, and not of memory that is filled and given back by turns', (t) => {
  const web = watchedContainer('web');
  const leak = new Scene();
  for (let index = 0; index < 90; index++) leak.round([[web, memory(30 + index * 0.5)]]);
  t.deepEqual(leak.story, ['firing memory_forecast']);
  const [alert] = leak.told;
  t.is(alert!.unit, 's');
  // 3 MiB a minute.
  const left = (100 * 1024 ** 2 - alert!.evidence.series.at(-1)![1]) / ((3 * 1024 ** 2) / 60);
  t.true(near(alert!.value, left));
  t.regex(alert!.annotations.summary!, /^web will reach its memory limit of 100 MiB in about \d+m/);

  // Teeth of 12 minutes look like a leak once: after the first one it is known that they come down again.
  const teeth = new Scene();
  for (let index = 0; index < 5 * 72; index++) teeth.round([[web, memory(20 + (index % 72))]]);
  t.is(teeth.story.filter((one) => one === 'firing memory_forecast').length, 1);
});

test('the forecast is as good as docs/alerts.md says, on what was recorded', (t) => {
  const { right, wrong, forewarned, met } = score();
  t.true(right / (right + wrong) >= 0.8, `${right} of ${right + wrong} warnings are right`);
  t.true(forewarned / met >= 0.9, `${forewarned} of ${met} kills were warned of`);
  const page = readFileSync(join(import.meta.dirname, '../../docs/alerts.md'), 'utf8');
  t.is(page, alertsPage(scoreSection(score())), 'npm run docs writes it');
});

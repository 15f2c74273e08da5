import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { timeToReach } from '../../agent/alerts/forecast.ts';
import { SampleRing } from '../../agent/alerts/sample-ring.ts';
import { alertsPage } from '../../agent/setup/alerts-page.ts';
import { score, scoreSection } from '../forecast/score.ts';
import { AlertSimulation, alertContainer, memoryPoints } from '../support/alerts.ts';

const MINUTE = 60_000;

/** Minutes until 100 is reached. @param values 10 s apart */
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

test('a steady rise is extrapolated to the level, also with noise and steps', (t) => {
  // 1 a minute: 40 minutes are left, then 10.
  t.true(near(forecast(series(61, (index) => 50 + index / 6)), 40));
  t.true(near(forecast(series(61, (index) => 80 + index / 6)), 10));
  t.true(near(forecast(series(61, (index) => 80 + index / 6 + ((index * 7919) % 10) / 10)), 9.5));
  t.true(near(forecast(series(61, (index) => 78 + 2 * Math.floor(index / 12))), 12));
  t.is(forecast(series(61, (index) => 95 + index / 6)), 0);
});

test('nothing is forecast from less than three quarters of the window', (t) => {
  t.is(forecast(series(44, (index) => 80 + index / 6)), Number.NaN);
  t.true(Number.isFinite(forecast(series(48, (index) => 80 + index / 6))));
});

test('a saw-tooth has no trend, but its floor can have one', (t) => {
  const tooth = (index: number) => ((index + 1) % 12) * 3;
  t.is(forecast(series(61, (index) => 55 + tooth(index))), Number.POSITIVE_INFINITY);
  t.true(near(forecast(series(61, (index) => 50 + tooth(index) / 2 + index / 4)), 12));
});

test('a plateau, a fall, and a rise that slows down have no trend', (t) => {
  t.is(forecast(series(61, () => 90)), Number.POSITIVE_INFINITY);
  t.is(forecast(series(61, (index) => 95 - index / 6)), Number.POSITIVE_INFINITY);
  t.is(forecast(series(61, (index) => Math.min(80, 70 + index))), Number.POSITIVE_INFINITY);
  t.true(forecast(series(61, (index) => 90 - 40 * Math.exp(-index / 12))) > 60);
});

test('nothing is forecast for low values, and for values that were reached before', (t) => {
  const rise = series(61, (index) => index / 3);
  t.is(forecast(rise), Number.POSITIVE_INFINITY);
  t.true(Number.isFinite(forecast(rise, { floor: 0 })));
  const high = series(61, (index) => 80 + index / 6);
  t.is(forecast(high, { highestBefore: 91 }), Number.POSITIVE_INFINITY);
  t.true(Number.isFinite(forecast(high, { highestBefore: 87 })));
});

test('gaps do not count as zeros', (t) => {
  t.true(near(forecast(series(61, (index) => (index % 5 === 0 ? Number.NaN : 80 + index / 6))), 10));
});

test('the rule fires for a leak, and at most once for a saw-tooth', (t) => {
  const web = alertContainer('web');
  const leak = new AlertSimulation();
  for (let index = 0; index < 90; index++) leak.playRound([[web, memoryPoints(30 + index * 0.5)]]);
  t.deepEqual(leak.emissions, ['firing memory_forecast']);
  const [alert] = leak.emitted;
  t.is(alert!.unit, 's');
  // 3 MiB a minute.
  const left = (100 * 1024 ** 2 - alert!.evidence.series.at(-1)![1]) / ((3 * 1024 ** 2) / 60);
  t.true(near(alert!.value, left));
  t.regex(alert!.annotations.summary!, /^web will reach its memory limit of 100 MiB in about \d+m/);

  // A period of 12 minutes looks like a leak once. After the first fall, the level was reached before.
  const teeth = new AlertSimulation();
  for (let index = 0; index < 5 * 72; index++) teeth.playRound([[web, memoryPoints(20 + (index % 72))]]);
  t.is(teeth.emissions.filter((one) => one === 'firing memory_forecast').length, 1);
});

test('the accuracy on recordings is as docs/alerts.md says', (t) => {
  const { right, wrong, forecastKills, kills } = score();
  t.true(right / (right + wrong) >= 0.8, `${right} of ${right + wrong} warnings are right`);
  t.true(forecastKills / kills >= 0.9, `${forecastKills} of ${kills} kills were forecast`);
  const page = readFileSync(join(import.meta.dirname, '../../docs/alerts.md'), 'utf8');
  t.is(page, alertsPage(scoreSection(score())), 'run npm run docs');
});

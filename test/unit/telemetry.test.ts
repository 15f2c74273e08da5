/** The agent's own counters. */

import { readFileSync } from 'node:fs';
import test from 'ava';
import { pino } from 'pino';
import { dropReasons } from '../../exporters/shared/drop-reasons.ts';
import { Telemetry } from '../../exporters/shared/telemetry.ts';

const silent = () => new Telemetry(pino({ level: 'silent' }));

test('a series is the same whatever the order of its attributes', (t) => {
  const telemetry = silent();
  telemetry.count('portlight.records.dropped', 1, { signal: 'logs', destination: 'otlp', reason: 'expired' });
  telemetry.count('portlight.records.dropped', 2, { reason: 'expired', destination: 'otlp', signal: 'logs' });
  t.deepEqual(
    [...telemetry.counterSeries('portlight.records.dropped')],
    [{ attributes: { signal: 'logs', destination: 'otlp', reason: 'expired' }, value: 3 }],
  );
});

test('attributes with equal values and different names are different series', (t) => {
  const telemetry = silent();
  telemetry.count('portlight.records.sent', 1, { signal: 'logs', destination: 'metrics' });
  telemetry.count('portlight.records.sent', 1, { destination: 'logs', signal: 'metrics' });
  t.is([...telemetry.counterSeries('portlight.records.sent')].length, 2);
});

test('docs/delivery.md lists every reason for which records are dropped', (t) => {
  const page = readFileSync('docs/delivery.md', 'utf8');
  for (const [reason, description] of Object.entries(dropReasons))
    t.true(page.includes(`| \`${reason}\` | ${description} |`), reason);
});

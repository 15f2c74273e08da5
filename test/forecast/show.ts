/**
 * `node test/forecast/show.ts [directory]`: prints every series as a line of up to 60 characters. Each character is the
 * maximum of its time span, from empty to the limit.
 */
import { readSeries } from './series.ts';

const LEVELS = [...'▁▂▃▄▅▆▇█'];
const WIDTH = 60;

const [directory] = process.argv.slice(2);
for (const { name, limit, interval, values, oomAt } of readSeries(directory)) {
  const share = Math.max(1, Math.ceil(values.length / WIDTH));
  const ratios = values.map((value) => (value === null ? undefined : value / limit));
  const columns = Array.from({ length: Math.ceil(values.length / share) }, (_, index) => {
    const known = ratios.slice(index * share, (index + 1) * share).filter((ratio) => ratio !== undefined);
    if (known.length === 0) return ' ';
    return LEVELS[Math.min(LEVELS.length - 1, Math.floor(Math.max(...known) * LEVELS.length))];
  });
  const known = ratios.filter((ratio) => ratio !== undefined);
  const percent = (ratio: number) => `${Math.round(100 * ratio)}`.padStart(3);
  const range = `${percent(Math.min(...known))}–${percent(Math.max(...known))} %`;
  const kills = oomAt.map((seconds) => (seconds / 60).toFixed(1)).join(', ');
  const step = share * interval;
  console.log(
    `${name.padEnd(20)} ${range} ${columns.join('')} ${step} s each${kills && `; killed at min ${kills}`}`,
  );
}

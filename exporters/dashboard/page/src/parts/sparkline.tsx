/** A sparkline: a metric of a container in the last ten minutes. */
import { SPARKLINE_MS, type SparklineMetric, sparklineOf, sparklinesVersion } from '../state/sparklines.ts';

const WIDTH = 76;
const HEIGHT = 22;
const MIN_SLOTS = 12;
/** Minimum of the scale, so that an idle container does not look busy. */
const MIN_SCALE: Readonly<Record<SparklineMetric, number>> = {
  cpu: 0.05,
  memory: 1,
  network: 2048,
  disk: 16_384,
};

/** The paths of the line and the area below it; an empty slot leaves a gap. */
function pathsOf(
  values: readonly (number | null)[],
  slots: number,
  most: number,
): { line: string; area: string } {
  const x = (index: number) => (WIDTH * (slots - values.length + index)) / Math.max(1, slots - 1);
  const y = (value: number) => HEIGHT - 1 - (value / most) * (HEIGHT - 3);
  let line = '';
  let area = '';
  let start: number | undefined;
  values.forEach((value, index) => {
    if (value !== null) {
      line += `${start === undefined ? 'M' : 'L'}${x(index).toFixed(1)} ${y(value).toFixed(1)}`;
      start ??= index;
    }
    if (start === undefined || (value !== null && index < values.length - 1)) return;
    const end = value === null ? index - 1 : index;
    const part = values.slice(start, end + 1);
    const points = part.map((each, offset) => `${x(start! + offset).toFixed(1)} ${y(each!).toFixed(1)}`);
    area += `M${x(start).toFixed(1)} ${HEIGHT}L${points.join('L')}L${x(end).toFixed(1)} ${HEIGHT}Z`;
    start = undefined;
  });
  return { line, area };
}

export function Sparkline({ id, metric }: { readonly id: string; readonly metric: SparklineMetric }) {
  sparklinesVersion.value;
  const sparks = sparklineOf(id);
  const values = sparks?.rows[metric] ?? [];
  const most = Math.max(MIN_SCALE[metric], ...values.map((value) => value ?? 0)) * 1.08;
  // A new container gets a wider scale, so that its first values are visible.
  const first = values.findIndex((value) => value !== null);
  const known = first === -1 ? values : values.slice(first);
  const slots = Math.min(
    Math.ceil(SPARKLINE_MS / (sparks?.step ?? 10_000)),
    Math.max(MIN_SLOTS, known.length),
  );
  const { line, area } = pathsOf(known, slots, most);
  return (
    <svg
      class={`spark ${metric}`}
      width={WIDTH}
      height={HEIGHT}
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      aria-hidden="true"
    >
      <path class="area" d={area} />
      <path class="line" d={line} />
    </svg>
  );
}

/** A chart as small as a word: what a figure was in the last ten minutes. */
import { SPARKLINE_MS, type SparklineMetric, sparklineOf, sparklinesVersion } from '../state/sparklines.ts';

const WIDTH = 76;
const HEIGHT = 22;
const LEAST_SLOTS = 12;
/** What fills the height at least: the idling of a container is no drama. */
const LEAST: Readonly<Record<SparklineMetric, number>> = {
  cpu: 0.05,
  memory: 1,
  network: 2048,
  disk: 16_384,
};

/** Lines between what is known; a slot that is not known leaves a gap. */
function pathsOf(
  values: readonly (number | null)[],
  slots: number,
  most: number,
): { line: string; area: string } {
  const x = (index: number) => (WIDTH * (slots - values.length + index)) / Math.max(1, slots - 1);
  const y = (value: number) => HEIGHT - 1 - (value / most) * (HEIGHT - 3);
  let line = '';
  let area = '';
  let begin: number | undefined;
  values.forEach((value, index) => {
    if (value !== null) {
      line += `${begin === undefined ? 'M' : 'L'}${x(index).toFixed(1)} ${y(value).toFixed(1)}`;
      begin ??= index;
    }
    if (begin === undefined || (value !== null && index < values.length - 1)) return;
    const end = value === null ? index - 1 : index;
    const part = values.slice(begin, end + 1);
    const points = part.map((each, offset) => `${x(begin! + offset).toFixed(1)} ${y(each!).toFixed(1)}`);
    area += `M${x(begin).toFixed(1)} ${HEIGHT}L${points.join('L')}L${x(end).toFixed(1)} ${HEIGHT}Z`;
    begin = undefined;
  });
  return { line, area };
}

export function Sparkline({ id, of }: { readonly id: string; readonly of: SparklineMetric }) {
  sparklinesVersion.value;
  const sparks = sparklineOf(id);
  const values = sparks?.rows[of] ?? [];
  const most = Math.max(LEAST[of], ...values.map((value) => value ?? 0)) * 1.08;
  // What has just begun is not pressed to the edge.
  const first = values.findIndex((value) => value !== null);
  const known = first === -1 ? values : values.slice(first);
  const slots = Math.min(
    Math.ceil(SPARKLINE_MS / (sparks?.step ?? 10_000)),
    Math.max(LEAST_SLOTS, known.length),
  );
  const { line, area } = pathsOf(known, slots, most);
  return (
    <svg
      class={`spark ${of}`}
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

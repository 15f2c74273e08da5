/** A chart of the last hour. All charts of a view share zoom and crosshair. */
import { type Signal, signal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { clock } from '../lib/format.ts';
import { about } from '../state/live.ts';
import { colour, theme } from '../state/theme.ts';

export interface TimeSpan {
  readonly min: number;
  readonly max: number;
}

/** A moment or period that is marked in a chart. */
export interface ChartMark {
  readonly from: number;
  /** Undefined for a moment. */
  readonly to?: number;
  /** Name of a colour. */
  readonly colour: string;
}

export interface ChartLine {
  readonly label: string;
  /** Name of a colour of the style sheet. */
  readonly colour: string;
  readonly values: readonly (number | null)[];
  readonly isDashed?: boolean;
}

export interface ChartProps {
  readonly title: string;
  /** Times, ms since the epoch. */
  readonly times: readonly number[];
  readonly lines: readonly ChartLine[];
  readonly format: (value: number | null) => string;
  /** Whether the axis has powers of two. */
  readonly isBinary?: boolean;
  /** Label of the limit. */
  readonly limitLabel?: string;
  /** Minimum of the upper end of the axis. */
  readonly minScale: number;
  /** Limit of the values; drawn if they are near it. */
  readonly limit?: number | null;
  readonly marks: readonly ChartMark[];
  /** The visible period. */
  readonly shown: TimeSpan;
  readonly zoom: Signal<TimeSpan | null>;
}

const HEIGHT = 116;
/** Width of the axis; the timeline has the same margin. */
export const AXIS = 62;
const PADDING_RIGHT = 18;
const MINUTE_MS = 60_000;
/** Share of the limit above which the limit is drawn. */
const NEAR = 0.3;
const SYNC = 'view';
/** Longest step of the agent's history. */
const LONGEST_STEP_MS = 60_000;
const POWERS = Array.from({ length: 50 }, (_, power) => 2 ** power);

/** The data of the plot: times, values, and the limit as a line of its own. */
function dataOf({ times, lines, limit }: ChartProps): uPlot.AlignedData {
  const rows = lines.map(({ values }) => values as (number | null)[]);
  const isNear = isNearLimit(lines, limit);
  return [times as number[], ...rows, times.map(() => (isNear ? limit! : null))];
}

function isNearLimit(lines: readonly ChartLine[], limit: number | null | undefined): boolean {
  if (!limit) return false;
  return lines.some(({ values }) => values.some((value) => value !== null && value > limit * NEAR));
}

function options(props: Signal<ChartProps>, width: number, onLegend: (plot: uPlot) => void): uPlot.Options {
  const axis = (): uPlot.Axis => ({
    stroke: () => colour('muted'),
    grid: { stroke: () => colour('grid'), width: 1 },
    ticks: { show: false },
    font: '11px system-ui, sans-serif',
  });
  const marks = (plot: uPlot) => {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    for (const { from, to, colour: name } of props.peek().marks) {
      const left = plot.valToPos(from, 'x', true);
      ctx.fillStyle = ctx.strokeStyle = colour(name);
      if (to !== undefined) {
        ctx.globalAlpha = 0.13;
        ctx.fillRect(left, bbox.top, Math.max(2, plot.valToPos(to, 'x', true) - left), bbox.height);
      }
      ctx.globalAlpha = 0.65;
      ctx.fillRect(Math.round(left), bbox.top, Math.max(1, devicePixelRatio), bbox.height);
    }
    ctx.restore();
  };
  return {
    width,
    height: HEIGHT,
    ms: 1,
    padding: [8, PADDING_RIGHT, 0, 0],
    legend: { show: false },
    cursor: {
      sync: { key: SYNC, scales: ['x', null] },
      drag: { x: true, y: false, setScale: false },
      points: { size: 6 },
      y: false,
    },
    scales: {
      x: { time: true, range: () => [props.peek().shown.min, props.peek().shown.max] },
      y: {
        range: (_, __, max) => {
          const { minScale, lines, limit } = props.peek();
          const top = Math.max(minScale, (max ?? 0) * 1.12);
          return [0, isNearLimit(lines, limit) ? Math.max(top, limit! * 1.06) : top];
        },
      },
    },
    axes: [
      {
        ...axis(),
        size: 26,
        space: 70,
        values: (_, ticks, __, ___, step) =>
          ticks.map((time) => (step < MINUTE_MS ? clock(time) : clock(time).slice(0, 5))),
      },
      {
        ...axis(),
        size: AXIS,
        space: 30,
        ...(props.peek().isBinary ? { incrs: POWERS } : {}),
        values: (_, ticks) => ticks.map((value) => (value === 0 ? '0' : props.peek().format(value))),
      },
    ],
    series: [
      {},
      ...props.peek().lines.map(
        ({ label, colour: name, isDashed }): uPlot.Series => ({
          label,
          stroke: () => colour(name),
          fill: isDashed ? undefined : () => `${colour(name)}1f`,
          width: 1.5,
          ...(isDashed ? { dash: [4, 4] } : {}),
          points: { show: false },
          // If rounds are further apart than steps, empty steps are not gaps.
          spanGaps: about.peek().interval > LONGEST_STEP_MS,
        }),
      ),
      { label: 'limit', stroke: () => colour('limit'), width: 1, dash: [5, 4], points: { show: false } },
    ],
    hooks: {
      draw: [marks],
      setLegend: [onLegend],
      setSelect: [
        (plot) => {
          const { left, width: wide } = plot.select;
          if (wide < 4) return;
          props.peek().zoom.value = { min: plot.posToVal(left, 'x'), max: plot.posToVal(left + wide, 'x') };
          plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
        },
      ],
      ready: [
        (plot) => {
          plot.over.addEventListener('dblclick', () => {
            props.peek().zoom.value = null;
          });
        },
      ],
    },
  };
}

export function Chart(given: ChartProps) {
  const { title, lines, format, limit, limitLabel = 'limit' } = given;
  const host = useRef<HTMLDivElement>(null);
  const figures = useRef<HTMLSpanElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  const props = useRef<Signal<ChartProps> | undefined>(undefined);
  props.current ??= signal(given);
  props.current.value = given;

  /** Shows the values at the crosshair, else the latest. */
  const showValues = (at: number | null | undefined) => {
    const current = props.current!.peek();
    for (const [index, { values }] of current.lines.entries()) {
      const place = figures.current?.children[index]?.querySelector('b');
      const value = at === null || at === undefined ? values.findLast((each) => each !== null) : values[at];
      if (place) place.textContent = current.format(value ?? null);
    }
  };

  useEffect(() => {
    const element = host.current!;
    plot.current = new uPlot(
      options(props.current!, element.clientWidth || 400, ({ cursor }) => showValues(cursor.idx)),
      dataOf(props.current!.peek()),
      element,
    );
    const observer = new ResizeObserver(() =>
      plot.current?.setSize({ width: element.clientWidth, height: HEIGHT }),
    );
    observer.observe(element);
    const unsubscribe = theme.subscribe(() => plot.current?.redraw(false, true));
    return () => {
      unsubscribe();
      observer.disconnect();
      plot.current?.destroy();
    };
  }, []);
  useEffect(() => {
    plot.current?.setData(dataOf(given));
    showValues(plot.current?.cursor.idx);
  });

  const last = lines.map(
    ({ label, values }) => `${label} ${format(values.findLast((value) => value !== null) ?? null)}`,
  );
  return (
    <figure class="chart">
      <figcaption>
        <h3>{title}</h3>
        <span class="values" ref={figures}>
          {lines.map(({ label, colour: name }) => (
            <span key={label}>
              <i class="swatch" style={{ background: `var(--${name})` }} />
              {label} <b />
            </span>
          ))}
        </span>
        {limit ? (
          <small class="limit">
            {limitLabel} {format(limit)}
          </small>
        ) : null}
      </figcaption>
      <div
        ref={host}
        class="plot"
        role="img"
        aria-label={`${title}, the last hour; now ${last.join(', ')}`}
      />
    </figure>
  );
}

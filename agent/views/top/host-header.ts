/** The first two lines of the list: source, counts and time; CPU and memory of the host, or a problem. */
import { formatBytes } from '../../../exporters/console/format.ts';
import { pad, toSingleLine, truncate, width } from '../../../exporters/console/text.ts';
import { bar } from '../terminal/draw.ts';
import { isActive, styleOfShare } from './columns.ts';
import type { ViewContext } from './view.ts';

const MIN_BAR = 6;

const shareOf = (part: number | null, whole: number | null): number | null =>
  part === null || whole === null ? null : part / whole;

/** @param size columns of the screen */
export function renderHostHeader({ paint, unicode, source }: ViewContext, size: number): string[] {
  const { host, containers, problem } = source.state;
  const all = [...containers.values()];
  const running = all.filter(isActive).length;
  const clock = `${new Date().toISOString().slice(11, 19)}Z`;
  const counts = `${running} running, ${all.length - running} stopped`;
  const left = truncate(`portlight top  ${source.origin}`, size - counts.length - clock.length - 4);
  const title = paint('bold', pad(left, size - counts.length - clock.length - 4));
  const first = `${title}  ${counts}  ${paint('dim', clock)}`;
  if (problem !== undefined) return [first, paint('yellow', pad(toSingleLine(problem), size))];
  if (host === null) return [first, ''];
  const gauge = (name: string, value: number | null, text: string) => {
    const columns = Math.max(MIN_BAR, Math.floor(size / 2) - width(text) - name.length - 4);
    return `${paint('bold', name)} ${paint(styleOfShare(value), bar(value, columns, unicode))} ${text}`;
  };
  const cpu = `${host.cpu?.toFixed(2) ?? '-'} of ${host.cpus ?? '-'} CPUs`;
  const memory = `${formatBytes(host.memory ?? undefined)} of ${formatBytes(host.memoryTotal ?? undefined)}`;
  const second = [
    gauge('CPU', shareOf(host.cpu, host.cpus), cpu),
    gauge('MEM', shareOf(host.memory, host.memoryTotal), memory),
  ].join('  ');
  return [first, second];
}

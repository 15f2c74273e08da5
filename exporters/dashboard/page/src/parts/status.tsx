/** Signs, badges and bars for the state of a container. */
import type { AlertMark } from '../../../api.ts';
import type { StatusLevel } from '../lib/status.ts';

/** Signs differ in shape as well as colour, for colour-blind readers. */
const SIGNS: Readonly<Record<StatusLevel, string>> = {
  good: 'M8 4.5a3.5 3.5 0 1 0 .01 0z',
  warn: 'M8 3.2l5 9.3H3z',
  bad: 'M4.5 3.5h7l0 9h-7z',
  off: 'M8 4.5a3.5 3.5 0 1 0 .01 0z',
};

export function Sign({ state, label }: { readonly state: StatusLevel; readonly label: string }) {
  return (
    <svg class={`sign ${state}`} width="14" height="14" viewBox="0 0 16 16" role="img" aria-label={label}>
      <path d={SIGNS[state]} />
    </svg>
  );
}

const RANK = { critical: 0, warning: 1, info: 2 } as const;

/** The most severe alert of a container, and the number of others. */
export function AlertBadge({ marks }: { readonly marks: readonly AlertMark[] }) {
  const firing = marks.filter(({ status }) => status === 'firing');
  const [worst] = [...(firing.length > 0 ? firing : marks)].sort(
    (a, b) => RANK[a.severity] - RANK[b.severity],
  );
  if (worst === undefined) return null;
  const label = marks
    .map(({ rule, status }) => (status === 'pending' ? `${rule} (pending)` : rule))
    .join(', ');
  return (
    <span class={`badge ${worst.status === 'pending' ? 'pending' : worst.severity}`} title={label}>
      <bdi>{worst.rule}</bdi>
      {marks.length > 1 ? ` +${marks.length - 1}` : ''}
    </span>
  );
}

/**
 * A share of a limit as a bar; empty without a limit.
 * @param isPlain whether a full bar is not a problem
 */
export function Bar({
  share,
  isPlain = false,
}: {
  readonly share: number | null;
  readonly isPlain?: boolean;
}) {
  if (share === null) return <span class="bar none" />;
  const level = isPlain ? '' : share >= 0.95 ? 'bad' : share >= 0.8 ? 'warn' : '';
  return (
    <span class={`bar ${level}`}>
      <span style={{ width: `${Math.min(100, share * 100).toFixed(1)}%` }} />
    </span>
  );
}

/** Firing, pending and resolved alerts. */
import type { AlertEntry } from '../../../api.ts';
import { bytes, clock, duration, inUnit } from '../lib/format.ts';
import { alerts, now } from '../state/live.ts';
import { containerHref } from '../state/route.ts';

const WIDTH = 260;
const HEIGHT = 56;

/** The ten minutes before the alert fired, with the threshold. */
interface AlertProps {
  readonly alert: AlertEntry;
}

function EvidenceChart({ alert: { evidence } }: AlertProps) {
  const { series, seriesUnit, seriesBound: bound } = evidence;
  const [first, last] = [series[0], series.at(-1)];
  if (first === undefined || last === undefined || series.length < 2) return null;
  const values = [...series.map(([, value]) => value), ...(bound === undefined ? [] : [bound])];
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const x = (time: number) => ((time - first[0]) / Math.max(1, last[0] - first[0])) * WIDTH;
  const y = (value: number) => 4 + (HEIGHT - 8) * (1 - (value - least) / (most - least || 1));
  const path = series.map(([time, value]) => `${x(time).toFixed(1)} ${y(value).toFixed(1)}`).join('L');
  return (
    <figure class="evidence">
      <svg
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        role="img"
        aria-label="Values in the ten minutes before the alert"
      >
        {bound === undefined ? null : (
          <line class="threshold" x1="0" x2={WIDTH} y1={y(bound)} y2={y(bound)} />
        )}
        <path d={`M${path}`} />
      </svg>
      <figcaption>
        {clock(first[0]).slice(0, 5)} to {clock(last[0]).slice(0, 5)}
        {bound === undefined ? '' : `, threshold ${inUnit(bound, seriesUnit)}`}
      </figcaption>
    </figure>
  );
}

function Alert({ alert }: AlertProps) {
  const {
    rule,
    severity,
    status,
    startsAt,
    endsAt,
    container,
    value,
    unit,
    threshold,
    limit,
    limitUnit,
    annotations,
    evidence,
  } = alert;
  const memory = Object.entries(evidence.memory);
  return (
    <article class={`alert ${status === 'firing' ? severity : status}`}>
      <header>
        <span class={`badge ${status === 'firing' ? severity : status}`}>
          {status === 'firing' ? severity : status}
        </span>
        <h3>
          <bdi>{rule}</bdi>
        </h3>
        {container === undefined ? (
          <span>host</span>
        ) : (
          <a href={containerHref(container.id)}>
            <bdi>{container.name}</bdi>
          </a>
        )}
        <span class="note">
          {clock(startsAt)}
          {endsAt === null ? `, for ${duration(now.value - startsAt)}` : ` to ${clock(endsAt)}`}
        </span>
      </header>
      <p>
        <bdi>{annotations.summary ?? annotations.description ?? ''}</bdi>
      </p>
      {annotations.summary !== undefined && annotations.description !== undefined ? (
        <p class="note">
          <bdi>{annotations.description}</bdi>
        </p>
      ) : null}
      {/* The last value of a resolved alert is normal again, and would contradict the summary. */}
      {endsAt === null ? (
        <p class="value">
          <b>{inUnit(value, unit)}</b>
          {threshold === undefined ? null : <span> threshold {inUnit(threshold, unit)}</span>}
          {limit === undefined ? null : <span> of {inUnit(limit, limitUnit)}</span>}
        </p>
      ) : (
        <p class="value">
          lasted <b>{duration(endsAt - startsAt)}</b>
        </p>
      )}
      <EvidenceChart alert={alert} />
      {evidence.log.length + evidence.events.length + memory.length === 0 ? null : (
        <details>
          <summary>Evidence</summary>
          {memory.length === 0 ? null : (
            <p>
              Memory:{' '}
              {memory.map(([kind, size]) => (
                <span key={kind} class="kind">
                  {kind} {bytes(size)}
                </span>
              ))}
            </p>
          )}
          {evidence.events.length === 0 ? null : <pre>{evidence.events.join('\n')}</pre>}
          {evidence.log.length === 0 ? null : <pre>{evidence.log.join('\n')}</pre>}
        </details>
      )}
    </article>
  );
}

const TITLES = { firing: 'Firing', pending: 'Pending', resolved: 'Resolved in the last hour' } as const;

export function AlertsView() {
  const all = alerts.value;
  return (
    <main class="page">
      <h1 class="unseen">Alerts</h1>
      {all.length === 0 ? <p class="empty">No alerts in the last hour</p> : null}
      {(['firing', 'pending', 'resolved'] as const).map((status) => {
        const some = all.filter((alert) => alert.status === status);
        return some.length === 0 ? null : (
          <section key={status} class="alerts">
            <h2>
              {TITLES[status]} <small>{some.length}</small>
            </h2>
            {some.map((alert) => (
              <Alert key={`${alert.key} ${alert.startsAt}`} alert={alert} />
            ))}
          </section>
        );
      })}
    </main>
  );
}

/** A list of events, newest first. */
import type { EventEntry } from '../../../api.ts';
import { clock, levelOf } from '../lib/format.ts';
import { anchorOf } from '../state/events.ts';
import { containerHref } from '../state/route.ts';

const text = (value: string | readonly string[]): string =>
  typeof value === 'string' ? value : value.join('\n');

/** Attributes that are not shown: they repeat the event's name. */
const HIDDEN = /^(docker\.event\.(type|action)|portlight\.inventory\.change)$/;

function Event({ entry, isOpen, names }: { entry: EventEntry; isOpen: boolean; names: boolean }) {
  const { time, severity, name, body, container, attributes } = entry;
  const shown = Object.entries(attributes).filter(([key]) => !HIDDEN.test(key));
  return (
    <li class={`event ${levelOf(severity)}`} id={anchorOf(entry)}>
      <details open={isOpen}>
        <summary>
          <time title={new Date(time).toLocaleString()}>{clock(time)}</time>
          <span class="body">
            <bdi>{body}</bdi>
          </span>
          <code>{name.replace(/^(docker|portlight)\./, '')}</code>
        </summary>
        {names && container !== null ? (
          <p>
            <a href={containerHref(container.id)}>
              <bdi>{container.name}</bdi>
            </a>
          </p>
        ) : null}
        {shown.length === 0 ? null : (
          <dl class="facts">
            {shown.map(([key, value]) => (
              <div key={key}>
                <dt>{key}</dt>
                <dd>
                  <bdi>{text(value)}</bdi>
                </dd>
              </div>
            ))}
          </dl>
        )}
      </details>
    </li>
  );
}

/** @param picked anchor of the expanded event */
export function EventList(props: {
  readonly events: readonly EventEntry[];
  readonly picked?: string;
  readonly names?: boolean;
}) {
  const { events, picked, names = false } = props;
  if (events.length === 0) return <p class="empty">No events yet</p>;
  return (
    <ol class="events">
      {events.toReversed().map((entry) => (
        <Event key={anchorOf(entry)} entry={entry} isOpen={anchorOf(entry) === picked} names={names} />
      ))}
    </ol>
  );
}

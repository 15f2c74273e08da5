/** The host: charts of the last hour, file systems, images, and the daemon's disk usage. */
import { useSignal } from '@preact/signals';
import type { Host, Images } from '../../../api.ts';
import { bytes, count, cpus, duration, inUnit, percent, rate } from '../lib/format.ts';
import { shareOf } from '../lib/status.ts';
import { Chart, type TimeSpan } from '../parts/chart.tsx';
import { Facts } from '../parts/details.tsx';
import { Bar } from '../parts/status.tsx';
import { ALL, marksOf, RangeButtons, shownSpan } from '../parts/timeline.tsx';
import { useLastHour } from '../state/last-hour.ts';
import { alerts, hostFigures, now } from '../state/live.ts';
import { usePolled } from '../state/polled.ts';
import { containerHref } from '../state/route.ts';

const EVERY_MS = 10_000;
const MEBIBYTE = 1024 * 1024;

const title = (name: string, attributes: Readonly<Record<string, string>>): string =>
  [name.replace(/^docker\./, '').replaceAll(/[._]/g, ' '), ...words(attributes)].join(' ');

/** `docker.image.dangling=true` → `dangling` */
function words(attributes: Readonly<Record<string, string>>): string[] {
  return Object.entries(attributes).map(([key, value]) => {
    const last = key.split('.').at(-1) ?? '';
    return value === 'true' ? last : value === 'false' ? `not ${last}` : value;
  });
}

function ImageTable({ images }: Images) {
  if (images.length === 0) return null;
  const sorted = [...images].sort((a, b) => (b.size ?? 0) - (a.size ?? 0));
  return (
    <section>
      <h2>
        Images <small>{images.length}</small>
      </h2>
      <table class="list">
        <thead>
          <tr>
            <th scope="col">image</th>
            <th scope="col">size</th>
            <th scope="col">age</th>
            <th scope="col" class="names">
              containers
            </th>
          </tr>
        </thead>
        <tbody>
          {sorted.map(({ id, references, size, createdAt, containers }) => (
            <tr key={id}>
              <th scope="row">
                <bdi>{references.join(', ') || id.replace('sha256:', '').slice(0, 12)}</bdi>
              </th>
              <td>{bytes(size)}</td>
              <td>{createdAt === null ? '–' : duration(now.value - createdAt)}</td>
              <td class="names">
                {containers.length === 0
                  ? 'none'
                  : containers.map((container) => (
                      <a key={container.id} href={containerHref(container.id)}>
                        <bdi>{container.name}</bdi>
                      </a>
                    ))}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

export function HostView() {
  const host = usePolled<Host>('/api/host', EVERY_MS);
  const images = usePolled<Images>('/api/images', EVERY_MS * 6);
  const figures = hostFigures.value ?? host?.figures ?? null;
  const hour = useLastHour('', figures?.time ?? 0);
  const zoom = useSignal<TimeSpan | null>(null);
  const length = useSignal(ALL);
  const shown = shownSpan(zoom.value, length.value, now.value, hour);
  const hostAlerts = alerts.value.filter(({ container }) => container === undefined);
  const columnOf = (name: string) => hour.columns[name] ?? [];
  const common = { times: hour.times, shown, zoom, marks: marksOf([], hostAlerts, now.value) };
  return (
    <main class="page host">
      <h1 class="unseen">Host</h1>
      <div class="halves">
        <section class="charts" aria-label="The last hour">
          <div class="charts-head">
            <h2>Last hour</h2>
            <RangeButtons length={length} zoom={zoom} />
          </div>
          <Chart
            {...common}
            title="CPU"
            lines={[{ label: 'CPUs', colour: 'cpu', values: columnOf('cpu') }]}
            format={cpus}
            minScale={1}
            limit={figures?.cpus ?? null}
            limitLabel="of"
          />
          <Chart
            {...common}
            title="Memory"
            lines={[{ label: 'in use', colour: 'memory', values: columnOf('memory') }]}
            format={bytes}
            isBinary
            minScale={MEBIBYTE}
            limit={figures?.memoryTotal ?? null}
            limitLabel="of"
          />
          <Chart
            {...common}
            title="Network"
            lines={[
              { label: 'received', colour: 'network', values: columnOf('receive') },
              { label: 'transmitted', colour: 'network2', values: columnOf('transmit'), isDashed: true },
            ]}
            format={rate}
            isBinary
            minScale={1024}
          />
          <Chart
            {...common}
            title="Disk"
            lines={[
              { label: 'read', colour: 'disk', values: columnOf('read') },
              { label: 'written', colour: 'disk2', values: columnOf('write'), isDashed: true },
            ]}
            format={rate}
            isBinary
            minScale={4096}
          />
        </section>
        <div class="side">
          <section>
            <h2>File systems</h2>
            <table class="list">
              <thead>
                <tr>
                  <th scope="col">mount point</th>
                  <th scope="col">used</th>
                  <th scope="col">size</th>
                  <th scope="col">
                    <span class="unseen">Share</span>
                  </th>
                </tr>
              </thead>
              <tbody>
                {(host?.filesystems ?? []).map(({ mountpoint, device, type, used, size }) => (
                  <tr key={mountpoint}>
                    <th scope="row" title={`${device}, ${type}`}>
                      <bdi>{mountpoint}</bdi>
                    </th>
                    <td>{bytes(used)}</td>
                    <td>{bytes(size)}</td>
                    <td class="share">
                      {percent(shareOf(used, size))}
                      <Bar share={shareOf(used, size)} />
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </section>
          <section>
            <h2>Docker</h2>
            <dl class="facts">
              {(host?.measured ?? [])
                .filter(({ name }) => name.startsWith('docker.'))
                .map(({ name, attributes, value, unit }) => (
                  <div key={title(name, attributes)}>
                    <dt>
                      <bdi>{title(name, attributes)}</bdi>
                    </dt>
                    <dd>{unit.startsWith('{') ? count(value) : inUnit(value, unit)}</dd>
                  </div>
                ))}
            </dl>
          </section>
          <section>
            <h2>About</h2>
            <Facts
              facts={[
                ...Object.entries(host?.attributes ?? {}),
                [
                  'uptime',
                  figures?.uptime === undefined || figures.uptime === null
                    ? null
                    : duration(figures.uptime * 1000),
                ],
              ]}
            />
          </section>
        </div>
      </div>
      <ImageTable images={images?.images ?? []} />
    </main>
  );
}

/** Details of a container: limits, namespaces, confinement, image, metrics. */
import { useEffect, useState } from 'preact/hooks';
import type { ContainerDetails, ImageDetails, Measured } from '../../../api.ts';
import { bytes, count, cpus, inUnit, moment, percent } from '../lib/format.ts';
import { shareOf } from '../lib/status.ts';
import { fetchJson } from '../state/api-client.ts';
import { containerHref } from '../state/route.ts';
import { Bar } from './status.tsx';

/**
 * Docker's default capabilities.
 * Source: https://docs.docker.com/engine/containers/run/#runtime-privilege-and-linux-capabilities
 */
const DEFAULT_CAPABILITIES = new Set(
  'CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID SETPCAP NET_BIND_SERVICE NET_RAW SYS_CHROOT MKNOD AUDIT_WRITE SETFCAP'.split(
    ' ',
  ),
);

type Fact = readonly [name: string, value: string | null | undefined];

export function Facts({ facts }: { readonly facts: readonly Fact[] }) {
  return (
    <dl class="facts">
      {facts
        .filter(([, value]) => value !== null && value !== undefined && value !== '')
        .map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>
              <bdi>{value}</bdi>
            </dd>
          </div>
        ))}
    </dl>
  );
}

interface SectionProps {
  readonly container: ContainerDetails;
}

function Limits({ container }: SectionProps) {
  const { figures, measured } = container;
  const value = (name: string) => measured.find((each) => each.name === name)?.value ?? null;
  const rows: readonly [string, number | null, number | null, (value: number | null) => string][] = [
    ['CPU', figures?.cpu ?? null, figures?.cpuLimit ?? null, cpus],
    ['Memory', figures?.memory ?? null, figures?.memoryLimit ?? null, bytes],
    ['Swap', value('container.memory.swap.usage'), value('container.memory.swap.limit'), bytes],
    ['PIDs', figures?.pids ?? null, figures?.pidsLimit ?? null, count],
  ];
  return (
    <section>
      <h3>Limits</h3>
      <table class="limits">
        <thead>
          <tr>
            <th scope="col">
              <span class="unseen">Resource</span>
            </th>
            <th scope="col">in use</th>
            <th scope="col">limit</th>
            <th scope="col">
              <span class="unseen">Share</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {rows.map(([name, used, limit, format]) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              <td>{format(used)}</td>
              <td>{limit === null ? 'none' : format(limit)}</td>
              <td class="share">
                {limit === null ? null : percent(shareOf(used, limit))}
                <Bar share={shareOf(used, limit)} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      <Facts
        facts={[
          ['CPU shares', text(value('container.cpu.shares') ?? value('container.cpu.weight'))],
          ['CPU set size', text(value('container.cpuset.size'))],
          ['Restart policy', container.restartPolicy || 'no'],
          ['Stop signal', container.stopSignal],
        ]}
      />
    </section>
  );
}

const text = (value: number | null): string | null => (value === null ? null : count(value));

function Namespaces({ container: { namespaces } }: SectionProps) {
  if (namespaces.length === 0) return null;
  return (
    <section>
      <h3>Namespaces</h3>
      <table class="namespaces">
        <thead>
          <tr>
            <th scope="col">type</th>
            <th scope="col">inode</th>
            <th scope="col">sharing</th>
          </tr>
        </thead>
        <tbody>
          {namespaces.map(({ type, inode, relation, sharedWith }) => (
            <tr key={type}>
              <th scope="row">{type}</th>
              <td>
                <code>{inode}</code>
              </td>
              <td>
                <span class={`relation ${relation}`}>{relation === 'shared' ? 'shared with' : relation}</span>
                {relation === 'shared'
                  ? sharedWith.map(({ id, name }) => (
                      <a key={id} href={containerHref(id)}>
                        <bdi>{name}</bdi>
                      </a>
                    ))
                  : null}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function ConfinementSection({ container: { confinement } }: SectionProps) {
  if (confinement === null) return null;
  const { privileged, capabilities, seccomp, apparmor, noNewPrivileges, readonlyRootfs } = confinement;
  const added = capabilities.filter((name) => !DEFAULT_CAPABILITIES.has(name));
  const dropped = [...DEFAULT_CAPABILITIES].filter((name) => !capabilities.includes(name));
  return (
    <section>
      <h3>Confinement</h3>
      <Facts
        facts={[
          ['Privileged', privileged === null ? null : privileged ? 'yes' : 'no'],
          ['Capabilities', String(capabilities.length)],
          ['Added capabilities', added.join(', ') || 'none'],
          ['Dropped capabilities', dropped.join(', ') || 'none'],
          ['Seccomp', seccomp],
          ['AppArmor', apparmor],
          ['No new privileges', noNewPrivileges ? 'yes' : 'no'],
          ['Read-only root', readonlyRootfs ? 'yes' : 'no'],
        ]}
      />
    </section>
  );
}

function Image({ id, name }: { readonly id: string | null; readonly name: string }) {
  const [image, setImage] = useState<ImageDetails>();
  useEffect(() => {
    if (id === null) return;
    const abort = new AbortController();
    fetchJson<ImageDetails>('/api/image', { id }, abort.signal).then(setImage, () => {});
    return () => abort.abort();
  }, [id]);
  const largest = Math.max(1, ...(image?.layers ?? []).map(({ size }) => size));
  return (
    <section>
      <h3>Image</h3>
      <Facts
        facts={[
          ['Reference', name],
          ['ID', id?.replace('sha256:', '').slice(0, 12)],
          ['Other references', image?.references.filter((reference) => reference !== name).join(', ')],
          ['Created', image === undefined ? null : moment(image.createdAt)],
          ['Size', image === undefined ? null : bytes(image.size)],
          ['Platform', image === undefined ? null : `${image.os}/${image.architecture}`],
        ]}
      />
      {image === undefined ? null : (
        <ol class="layers" aria-label="Layers, newest first">
          {image.layers.map(({ instruction, size }, index) => (
            <li key={index}>
              <span class="size">{bytes(size)}</span>
              <span class="bar">
                <span style={{ width: `${(size / largest) * 100}%` }} />
              </span>
              <code>
                <bdi>{instruction || 'imported'}</bdi>
              </code>
            </li>
          ))}
        </ol>
      )}
    </section>
  );
}

const label = ({ attributes }: Measured): string => Object.values(attributes).join(' ');

export function Details({ container }: SectionProps) {
  const { attributes, mounts, measured } = container;
  return (
    <div class="details">
      <Limits container={container} />
      <Namespaces container={container} />
      <ConfinementSection container={container} />
      <Image id={container.imageId} name={container.image} />
      <section>
        <h3>Lifecycle</h3>
        <Facts
          facts={[
            ['Created', moment(container.createdAt)],
            ['Started', moment(container.startedAt)],
            ['Ended', container.finishedAt === null ? null : moment(container.finishedAt)],
            ['Network', container.networkMode],
            ['Log driver', container.logDriver],
            ...mounts.map(
              ({ source, destination, writable }): Fact => [
                'Mount',
                `${source} at ${destination}${writable ? '' : ', read-only'}`,
              ],
            ),
          ]}
        />
      </section>
      <section>
        <h3>Resource attributes</h3>
        <Facts facts={Object.entries(attributes)} />
      </section>
      <section>
        <h3>All metrics</h3>
        <table class="measured">
          <tbody>
            {measured.map((each) => (
              <tr key={`${each.name} ${label(each)}`}>
                <th scope="row">{each.name}</th>
                <td>
                  <bdi>{label(each)}</bdi>
                </td>
                <td>{inUnit(each.value, each.unit)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </section>
    </div>
  );
}

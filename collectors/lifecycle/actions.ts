/**
 * Everything that can happen to an object of the daemon, in one table: how it is told, and the page
 * docs/events.md. An action that is not in it (a newer daemon's) is told all the same, with what all have.
 * Source: docker-system-events(1), https://docs.docker.com/reference/api/engine/ (GET /events); for what only
 * Podman has, podman-events(1).
 */
import { Severity, type SeverityNumber } from '../records/records.ts';

export interface Action {
  /** `Type` of the Engine API: container, image, … */
  readonly type: string;
  /** `Action` of the Engine API, with a dot instead of `: `. */
  readonly action: string;
  /** What has happened. */
  readonly description: string;
  /** INFO by default. An end is judged by its reason. */
  readonly severity: SeverityNumber;
  /**
   * The actor's attributes that describe the event, not the object, and the names that they are exported by.
   * Any other is a label, or a fact that the resource bears.
   */
  readonly attributes: Readonly<Record<string, string>>;
  /** Earlier actions on the same object: `docker.event.duration` is the time since the latest of them. */
  readonly since: readonly string[];
  /** Name of the span over that time. */
  readonly span: string | undefined;
}

type Details = Partial<Omit<Action, 'type' | 'action' | 'what'>>;

const row = (type: string, action: string, what: string, details: Details = {}): Action => ({
  type,
  action,
  description: what,
  severity: Severity.INFO,
  attributes: {},
  since: [],
  span: undefined,
  ...details,
});

const EXEC = { execID: 'docker.exec.id' };
const RECLAIMED = { reclaimed: 'docker.prune.reclaimed' };
const DRIVER = { driver: 'docker.volume.driver' };
const NETWORK = { name: 'docker.network.name', type: 'docker.network.driver' };
const MEMBER = { ...NETWORK, container: 'container.id' };

const container = (action: string, what: string, details?: Details) =>
  row('container', action, what, details);

/** What happens to each of Swarm's objects. */
const swarm = (type: string) => [
  row(type, 'create', `A ${type} was created`),
  row(type, 'update', `A ${type} was changed; \`docker.${type}.<what>.old\` and \`.new\` say how`),
  row(type, 'remove', `A ${type} was removed`),
];

export const actions: readonly Action[] = [
  container('create', 'A container was created'),
  container('start', 'It was started', { since: ['create', 'die'], span: 'container.start' }),
  container('attach', 'Somebody attached to its streams'),
  container('detach', 'Somebody detached from its streams'),
  container('exec_create', 'A command was prepared to be run in it', { attributes: EXEC }),
  container('exec_start', 'The command was started', { attributes: EXEC, since: ['exec_create'] }),
  container('exec_detach', 'Somebody detached from the command', { attributes: EXEC }),
  container('exec_die', 'The command ended', {
    attributes: EXEC,
    since: ['exec_start', 'exec_create'],
    span: 'container.exec',
  }),
  container('top', 'Its processes were listed'),
  container('pause', 'Its processes were frozen'),
  container('unpause', 'They were let go on', { since: ['pause'], span: 'container.pause' }),
  container('oom', 'The kernel found no memory for it, and killed a process of it', {
    severity: Severity.ERROR,
  }),
  container('kill', 'A signal was sent to it', { attributes: { signal: 'docker.event.signal' } }),
  container('die', 'It ended', { since: ['start'], span: 'container.run' }),
  container('stop', 'It was stopped by command', { since: ['kill'] }),
  container('restart', 'It was stopped and started by command', { since: ['kill'] }),
  container('rename', 'It got another name', { attributes: { oldName: 'docker.container.previous_name' } }),
  container('update', 'Its limits or its restart policy were changed'),
  container('resize', 'Its terminal got another size', {
    attributes: { height: 'docker.tty.height', width: 'docker.tty.width' },
  }),
  container('copy', 'A file was copied out of it (old daemons)'),
  container('archive-path', 'A file was copied out of it (docker cp)'),
  container('extract-to-dir', 'A file was copied into it (docker cp)'),
  container('commit', 'An image was made of it', {
    attributes: {
      comment: 'docker.image.comment',
      imageID: 'docker.image.id',
      imageRef: 'docker.image.reference',
    },
  }),
  container('export', 'Its file system was exported'),
  container('checkpoint', 'Its state was written down'),
  container('restore', 'It was started from a state that was written down'),
  container('health_status.healthy', 'Its health check succeeds', {
    since: ['start', 'health_status.unhealthy'],
    span: 'container.health',
  }),
  container('health_status.unhealthy', 'Its health check fails', {
    severity: Severity.WARN,
    since: ['start', 'health_status.healthy'],
    span: 'container.health',
  }),
  container('destroy', 'It was removed', { since: ['create'] }),
  container('prune', 'Containers that had ended were removed', { attributes: RECLAIMED }),
  container('init', 'It was prepared to be started (Podman)'),
  container('cleanup', 'Its mounts and networks were taken down (Podman)'),

  row('image', 'pull', 'An image was pulled'),
  row('image', 'push', 'An image was pushed'),
  row('image', 'create', 'An image was built'),
  row('image', 'tag', 'An image got a name'),
  row('image', 'untag', 'An image lost a name'),
  row('image', 'delete', 'An image was deleted'),
  row('image', 'import', 'An image was made of a file system'),
  row('image', 'load', 'An image was loaded from an archive'),
  row('image', 'save', 'An image was saved into an archive'),
  row('image', 'prune', 'Images that were not used were removed', { attributes: RECLAIMED }),

  row('network', 'create', 'A network was created', { attributes: NETWORK }),
  row('network', 'connect', 'A container was connected', { attributes: MEMBER }),
  row('network', 'disconnect', 'A container was disconnected', { attributes: MEMBER }),
  row('network', 'update', 'A network was changed', { attributes: NETWORK }),
  row('network', 'remove', 'A network was removed (Swarm)', { attributes: NETWORK }),
  row('network', 'destroy', 'A network was removed', { attributes: NETWORK }),
  row('network', 'prune', 'Networks that were not used were removed', { attributes: RECLAIMED }),

  row('volume', 'create', 'A volume was created', { attributes: DRIVER }),
  row('volume', 'mount', 'A container mounted it', {
    attributes: {
      ...DRIVER,
      container: 'container.id',
      destination: 'docker.mount.destination',
      propagation: 'docker.mount.propagation',
      'read/write': 'docker.mount.writable',
    },
  }),
  row('volume', 'unmount', 'A container let go of it', {
    attributes: { ...DRIVER, container: 'container.id' },
  }),
  row('volume', 'destroy', 'A volume was removed', { attributes: DRIVER }),
  row('volume', 'prune', 'Volumes that were not used were removed', { attributes: RECLAIMED }),

  row('plugin', 'pull', 'A plugin was pulled'),
  row('plugin', 'install', 'A plugin was installed'),
  row('plugin', 'create', 'A plugin was created'),
  row('plugin', 'enable', 'A plugin was enabled'),
  row('plugin', 'disable', 'A plugin was disabled'),
  row('plugin', 'push', 'A plugin was pushed'),
  row('plugin', 'upgrade', 'A plugin was upgraded'),
  row('plugin', 'remove', 'A plugin was removed'),

  row('daemon', 'reload', 'The daemon read its configuration anew'),
  row('builder', 'prune', 'The build cache was cleared', { attributes: RECLAIMED }),

  ...['service', 'node', 'secret', 'config'].flatMap(swarm),
];

const actionsByName = new Map(actions.map((action) => [`${action.type}.${action.action}`, action]));

export const actionOf = (type: string, action: string): Action =>
  actionsByName.get(`${type}.${action}`) ?? row(type, action, '');

/** Podman's words for what Docker has other words for. */
const DIALECT: Readonly<Record<string, string>> = {
  'container remove': 'destroy',
  'container died': 'die',
  'container exec': 'exec_start',
  'container exec_died': 'exec_die',
  'image remove': 'delete',
  'volume remove': 'destroy',
};

/**
 * `health_status: healthy` → `health_status.healthy`. The command behind `exec_create:` and `exec_start:` is
 * cut off: it can hold secrets.
 */
export function nameOfAction(type: string, action: string): string {
  const [verb = '', detail] = action.split(': ', 2);
  if (verb === 'health_status' && detail !== undefined) return `${verb}.${detail}`;
  return DIALECT[`${type} ${verb}`] ?? verb;
}

/** The command that an `exec_create` or `exec_start` tells. */
export const commandOf = (action: string): string | undefined =>
  /^exec_(?:create|start): (.*)$/s.exec(action)?.[1];

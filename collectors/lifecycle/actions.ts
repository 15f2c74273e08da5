/**
 * Every action on an object of the daemon, in one table. Event records and docs/events.md derive from it. An action
 * that the table does not have (of a newer daemon) is reported too, with the attributes that all events have.
 * Sources: docker-system-events(1); https://docs.docker.com/reference/api/engine/ (GET /events); podman-events(1)
 * for the actions that only Podman has.
 */
import { Severity, type SeverityNumber } from '../records/records.ts';

export interface Action {
  /** `Type` of the Engine API: container, image, … */
  readonly type: string;
  /** `Action` of the Engine API, with a dot instead of `: `. */
  readonly action: string;
  /** What follows the object's name in the event's sentence; `a container` and `a signal` stand for their names. */
  readonly predicate: string;
  /** What happened, for the documentation; empty if the table does not have the action. */
  readonly description: string;
  /** INFO by default. The severity of an exit follows from its reason. */
  readonly severity: SeverityNumber;
  /**
   * The actor's attributes that describe the event and not the object, with their exported names. Any other
   * attribute is a label, or is already in the resource.
   */
  readonly attributes: Readonly<Record<string, string>>;
  /** Earlier actions on the same object: `docker.event.duration` is the time since the latest of them. */
  readonly since: readonly string[];
  /** Name of the span over that time. */
  readonly span: string | undefined;
}

type Details = Partial<Omit<Action, 'type' | 'action' | 'predicate' | 'description'>>;

const row = (
  type: string,
  action: string,
  predicate: string,
  description: string,
  details: Details = {},
): Action => ({
  type,
  action,
  predicate,
  description,
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

const container = (action: string, predicate: string, description: string, details?: Details) =>
  row('container', action, predicate, description, details);

const prune = (type: string, description: string) =>
  row(type, 'prune', 'prune finished', description, { attributes: RECLAIMED });

/** The actions on each of Swarm's objects. */
const swarm = (type: string) => [
  row(type, 'create', 'created', `A ${type} was created`),
  row(
    type,
    'update',
    'updated',
    `A ${type} changed; \`docker.${type}.<field>.old\` and \`.new\` hold the values`,
  ),
  row(type, 'remove', 'removed', `A ${type} was removed`),
];

export const actions: readonly Action[] = [
  container('create', 'created', 'A container was created'),
  container('start', 'started', 'It started', { since: ['create', 'die'], span: 'container.start' }),
  container('attach', 'attached', 'A client attached to its streams'),
  container('detach', 'detached', 'A client detached from its streams'),
  container('exec_create', 'exec created', 'A command was prepared to run in it', { attributes: EXEC }),
  container('exec_start', 'exec started', 'The command started', {
    attributes: EXEC,
    since: ['exec_create'],
  }),
  container('exec_detach', 'exec detached', 'A client detached from the command', { attributes: EXEC }),
  container('exec_die', 'exec exited', 'The command exited', {
    attributes: EXEC,
    since: ['exec_start', 'exec_create'],
    span: 'container.exec',
  }),
  container('top', 'processes listed', 'Its processes were listed'),
  container('pause', 'paused', 'Its processes were frozen'),
  container('unpause', 'unpaused', 'Its processes were resumed', {
    since: ['pause'],
    span: 'container.pause',
  }),
  container('oom', 'had a process OOM-killed', 'The kernel OOM-killed one of its processes', {
    severity: Severity.ERROR,
  }),
  container('kill', 'received a signal', 'The daemon sent it a signal', {
    attributes: { signal: 'docker.event.signal' },
  }),
  container('die', 'exited', 'It exited', { since: ['start'], span: 'container.run' }),
  container('stop', 'stopped', 'A client stopped it', { since: ['kill'] }),
  container('restart', 'restarted', 'A client restarted it', { since: ['kill'] }),
  container('rename', 'renamed', 'Its name changed', {
    attributes: { oldName: 'docker.container.previous_name' },
  }),
  container('update', 'updated', 'Its limits or its restart policy changed'),
  container('resize', 'terminal resized', 'The size of its terminal changed', {
    attributes: { height: 'docker.tty.height', width: 'docker.tty.width' },
  }),
  container('copy', 'had files copied out', 'Files were copied out of it (old daemons)'),
  container('archive-path', 'had files copied out', 'Files were copied out of it (docker cp)'),
  container('extract-to-dir', 'had files copied in', 'Files were copied into it (docker cp)'),
  container('commit', 'committed', 'An image was created from it', {
    attributes: {
      comment: 'docker.image.comment',
      imageID: 'docker.image.id',
      imageRef: 'docker.image.reference',
    },
  }),
  container('export', 'exported', 'Its file system was exported'),
  container('checkpoint', 'checkpointed', 'Its state was saved as a checkpoint'),
  container('restore', 'restored', 'It started from a checkpoint'),
  container('health_status.healthy', 'became healthy', 'Its health check succeeds', {
    since: ['start', 'health_status.unhealthy'],
    span: 'container.health',
  }),
  container('health_status.unhealthy', 'became unhealthy', 'Its health check fails', {
    severity: Severity.WARN,
    since: ['start', 'health_status.healthy'],
    span: 'container.health',
  }),
  container('destroy', 'removed', 'It was removed', { since: ['create'] }),
  prune('container', 'Stopped containers were removed'),
  container('init', 'initialized', 'It was prepared to start (Podman)'),
  container('cleanup', 'cleaned up', 'Its mounts and networks were removed (Podman)'),

  row('image', 'pull', 'pulled', 'An image was pulled'),
  row('image', 'push', 'pushed', 'An image was pushed'),
  row('image', 'create', 'built', 'An image was built'),
  row('image', 'tag', 'tagged', 'A tag was added to an image'),
  row('image', 'untag', 'untagged', 'A tag was removed from an image'),
  row('image', 'delete', 'deleted', 'An image was deleted'),
  row('image', 'import', 'imported', 'An image was created from a file system archive'),
  row('image', 'load', 'loaded', 'An image was loaded from an archive'),
  row('image', 'save', 'saved', 'An image was saved to an archive'),
  prune('image', 'Unused images were removed'),

  row('network', 'create', 'created', 'A network was created', { attributes: NETWORK }),
  row('network', 'connect', 'connected to a container', 'A container was connected', { attributes: MEMBER }),
  row('network', 'disconnect', 'disconnected from a container', 'A container was disconnected', {
    attributes: MEMBER,
  }),
  row('network', 'update', 'updated', 'A network changed', { attributes: NETWORK }),
  row('network', 'remove', 'removed', 'A network was removed (Swarm)', { attributes: NETWORK }),
  row('network', 'destroy', 'removed', 'A network was removed', { attributes: NETWORK }),
  prune('network', 'Unused networks were removed'),

  row('volume', 'create', 'created', 'A volume was created', { attributes: DRIVER }),
  row('volume', 'mount', 'mounted by a container', 'A container mounted it', {
    attributes: {
      ...DRIVER,
      container: 'container.id',
      destination: 'docker.mount.destination',
      propagation: 'docker.mount.propagation',
      'read/write': 'docker.mount.writable',
    },
  }),
  row('volume', 'unmount', 'unmounted by a container', 'A container unmounted it', {
    attributes: { ...DRIVER, container: 'container.id' },
  }),
  row('volume', 'destroy', 'removed', 'A volume was removed', { attributes: DRIVER }),
  prune('volume', 'Unused volumes were removed'),

  row('plugin', 'pull', 'pulled', 'A plugin was pulled'),
  row('plugin', 'install', 'installed', 'A plugin was installed'),
  row('plugin', 'create', 'created', 'A plugin was created'),
  row('plugin', 'enable', 'enabled', 'A plugin was enabled'),
  row('plugin', 'disable', 'disabled', 'A plugin was disabled'),
  row('plugin', 'push', 'pushed', 'A plugin was pushed'),
  row('plugin', 'upgrade', 'upgraded', 'A plugin was upgraded'),
  row('plugin', 'remove', 'removed', 'A plugin was removed'),

  row('daemon', 'reload', 'reloaded its configuration', 'The daemon reloaded its configuration'),
  prune('builder', 'The build cache was cleared'),

  ...['service', 'node', 'secret', 'config'].flatMap(swarm),
];

const actionsByName = new Map(actions.map((action) => [`${action.type}.${action.action}`, action]));

export const actionRow = (type: string, action: string): Action =>
  actionsByName.get(`${type}.${action}`) ?? row(type, action, action, '');

/** Podman's names of actions that Docker names differently. */
const PODMAN_NAMES: Readonly<Record<string, string>> = {
  'container remove': 'destroy',
  'container died': 'die',
  'container exec': 'exec_start',
  'container exec_died': 'exec_die',
  'image remove': 'delete',
  'volume remove': 'destroy',
};

/**
 * The canonical name of an action: `health_status: healthy` → `health_status.healthy`. The command after
 * `exec_create:` and `exec_start:` is cut off, because it can contain secrets.
 */
export function nameOfAction(type: string, action: string): string {
  const [verb = '', detail] = action.split(': ', 2);
  if (verb === 'health_status' && detail !== undefined) return `${verb}.${detail}`;
  return PODMAN_NAMES[`${type} ${verb}`] ?? verb;
}

/** The command line in the action of an `exec_create` or `exec_start`. */
export const commandOf = (action: string): string | undefined =>
  /^exec_(?:create|start): (.*)$/s.exec(action)?.[1];

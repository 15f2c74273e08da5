/** Options of the Docker daemons to observe. */
import * as v from 'valibot';
import { NO_DAEMON } from '../collectors/engine/daemon-endpoint.ts';
import { type Leaf, matching, option, optional, optionalText } from './option.ts';

/** Only an ssh host may contain a user. */
const HOST = /^(unix:\/\/\/.+|(tcp|https?):\/\/[^/@]+(\/|$)|ssh:\/\/[^/]+)/;
const HOST_ALLOWED = 'unix:///path, tcp://host:port, https://host:port or ssh://user@host';
const MAIN_HOST = new RegExp(`${HOST.source}|^${NO_DAEMON}$`);
export const MAIN_HOST_ALLOWED = `${HOST_ALLOWED}; or ${NO_DAEMON} to read from the kernel only`;
const DAEMON_NAME = /^[\w.-]+$/;

export const dockerHost = optional(matching(MAIN_HOST));

const pemFile = (description: string) =>
  option(description, { allowed: 'the path of a PEM file' }, optionalText);

/** Options of each of `daemons`. */
export const daemonOptions = {
  host: option('Address of the daemon', { allowed: HOST_ALLOWED }, optional(matching(HOST))),
  context: option(
    'Docker context of the daemon, instead of host',
    { allowed: 'the name of a context' },
    optionalText,
  ),
  certificate: pemFile("Certificates to trust instead of the system's"),
  client_certificate: pemFile('Client certificate'),
  client_key: pemFile('Key of the client certificate'),
};

export const daemons = option(
  'Docker daemons to observe, by name. Their records carry the name as docker.daemon.name. If docker_host is set, it is observed as well',
  { allowed: 'names of letters, digits, _, . and -, each with host or context', default: {} },
  v.pipe(
    v.unknown(),
    v.check((value) => !Array.isArray(value)),
    v.record(v.pipe(v.string(), v.regex(DAEMON_NAME)), v.strictObject(daemonOptions)),
  ) as Leaf<Record<string, v.InferOutput<v.StrictObjectSchema<typeof daemonOptions, undefined>>>>,
);

interface DaemonSettings {
  readonly docker_host: v.InferOutput<typeof dockerHost>;
  readonly daemons: v.InferOutput<typeof daemons>;
  readonly scope: string;
}

/**
 * Checks what concerns several options.
 * @returns the first problem, which starts with an option's path; undefined where there is none
 */
export function findDaemonProblem({
  docker_host,
  daemons: named,
  scope,
}: DaemonSettings): string | undefined {
  const hasNamed = Object.keys(named).length > 0;
  if (docker_host === NO_DAEMON && hasNamed)
    return `docker_host: "${NO_DAEMON}" cannot be combined with daemons`;
  if (scope !== 'host' && docker_host === NO_DAEMON)
    return `scope: "${scope}" is not allowed; expected host: other scopes need a daemon, and docker_host is ${NO_DAEMON}`;
  if (scope !== 'host' && hasNamed)
    return `scope: "${scope}" is not allowed; expected host: other scopes cannot be combined with daemons`;
  const hosts = new Map([[docker_host, 'docker_host']]);
  for (const [name, daemon] of Object.entries(named)) {
    const path = `daemons.${name}`;
    const { host, context, certificate, client_certificate, client_key } = daemon;
    if (host === undefined && context === undefined)
      return `${path}.host: is required; expected ${HOST_ALLOWED}, or a context`;
    if (host !== undefined && context !== undefined)
      return `${path}.context: "${context}" cannot be combined with host`;
    if (host !== undefined && hosts.has(host))
      return `${path}.host: "${host}" is already used by ${hosts.get(host)}`;
    hosts.set(host, path);
    if ((client_certificate === undefined) !== (client_key === undefined)) {
      const [set, missing] =
        client_key === undefined
          ? ['client_certificate', 'client_key']
          : ['client_key', 'client_certificate'];
      return `${path}.${missing}: is required with ${set}; expected the path of a PEM file`;
    }
    const [file] = Object.entries({ certificate, client_certificate }).filter(
      ([, value]) => value !== undefined,
    );
    if (file !== undefined && !/^(tcp|https):/.test(host ?? ''))
      return `${path}.${file[0]}: is for hosts of tcp:// and https:// only`;
  }
  return undefined;
}

/** Which daemons are observed. */
import * as v from 'valibot';
import { NO_DAEMON } from '../collectors/engine/daemon-endpoint.ts';
import { type Leaf, matching, option, optional, optionalText } from './option.ts';

/** Only ssh has users. */
const HOST = /^(unix:\/\/\/.+|(tcp|https?):\/\/[^/@]+(\/|$)|ssh:\/\/[^/]+)/;
const HOST_ALLOWED = 'unix:///path, tcp://host:port, https://host:port or ssh://user@host';
const MAIN_HOST = new RegExp(`${HOST.source}|^${NO_DAEMON}$`);
export const MAIN_HOST_ALLOWED = `${HOST_ALLOWED}; or ${NO_DAEMON}, which has the kernel alone asked`;
const DAEMON_NAME = /^[\w.-]+$/;

export const dockerHost = optional(matching(MAIN_HOST));

const file = (what: string) => option(what, { allowed: 'a path to a file in PEM' }, optionalText);

/** What can be said of each of `daemons`. */
export const daemonOptions = {
  host: option('Address of the daemon', { allowed: HOST_ALLOWED }, optional(matching(HOST))),
  context: option(
    'Docker context that has the address, instead of host',
    { allowed: 'the name of a context' },
    optionalText,
  ),
  certificate: file("Certificates to trust, instead of the system's"),
  client_certificate: file('Certificate to show'),
  client_key: file('Key of the certificate to show'),
};

export const daemons = option(
  'Docker daemons to observe, by a name for each, which their records bear as docker.daemon.name; besides docker_host where that is said too',
  { allowed: 'names of letters, digits, _, . and -, each with host or context' },
  v.pipe(
    v.unknown(),
    v.check((given) => !Array.isArray(given)),
    v.record(v.pipe(v.string(), v.regex(DAEMON_NAME)), v.strictObject(daemonOptions)),
  ) as Leaf<Record<string, v.InferOutput<v.StrictObjectSchema<typeof daemonOptions, undefined>>>>,
);

interface DaemonSettings {
  readonly docker_host: v.InferOutput<typeof dockerHost>;
  readonly daemons: v.InferOutput<typeof daemons>;
  readonly scope: string;
}

/** What is wrong between the options of daemons; nothing where all is well. */
export function findDaemonProblem({
  docker_host,
  daemons: named,
  scope,
}: DaemonSettings): string | undefined {
  const others = Object.keys(named).length > 0;
  if (docker_host === NO_DAEMON && others)
    return `docker_host: "${NO_DAEMON}" is not allowed; expected another, since there are daemons to observe`;
  if (scope !== 'host' && docker_host === NO_DAEMON)
    return `scope: "${scope}" is not allowed; expected host, since only a daemon knows of others (docker_host is ${NO_DAEMON})`;
  if (scope !== 'host' && others)
    return `scope: "${scope}" is not allowed; expected host, since the agent is for several daemons`;
  const hosts = new Map([[docker_host, 'docker_host']]);
  for (const [name, daemon] of Object.entries(named)) {
    const path = `daemons.${name}`;
    const { host, context, certificate, client_certificate, client_key } = daemon;
    if (host === undefined && context === undefined)
      return `${path}.host: is missing; expected ${HOST_ALLOWED}, or a context`;
    if (host !== undefined && context !== undefined)
      return `${path}.context: "${context}" is not allowed; expected nothing, since there is a host`;
    if (host !== undefined && hosts.has(host))
      return `${path}.host: "${host}" is not allowed; expected another than that of ${hosts.get(host)}`;
    hosts.set(host, path);
    if ((client_certificate === undefined) !== (client_key === undefined)) {
      const missing = client_key === undefined ? 'client_key' : 'client_certificate';
      return `${path}.${missing}: is missing; expected a file, since the other of the two is there`;
    }
    const [file] = Object.entries({ certificate, client_certificate }).filter(
      ([, given]) => given !== undefined,
    );
    if (file !== undefined && !/^(tcp|https):/.test(host ?? ''))
      return `${path}.${file[0]}: is not allowed; expected it with a host of tcp:// or https:// only`;
  }
  return undefined;
}

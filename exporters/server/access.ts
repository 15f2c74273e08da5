/**
 * Access control. Requests that a page of another site makes in a user's browser are refused: they are recognised by
 * their Origin or, in case of DNS rebinding, by their Host. Beyond loopback a token is required.
 */
import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { hostname } from 'node:os';
import type { RouteResponse } from './route.ts';
import { isSameSecret, sessionTokenOf } from './token.ts';

/** Cookies are not separated by port, so the name has the port: several agents can run on a host. */
const cookieName = ({ socket }: IncomingMessage): string => `portlight-${socket.localPort}`;
const COOKIE_SECONDS = 30 * 86_400;

const refuse = (
  status: number,
  error: string,
  headers: Readonly<Record<string, string>> = {},
): RouteResponse => ({
  status,
  contentType: 'application/json',
  headers,
  body: `${JSON.stringify({ error })}\n`,
});

/** The name or address in a Host header, without brackets and port; undefined if there is none. */
function nameOf(host: string): string | undefined {
  const url = `http://${host}`;
  if (host === '' || /[/?#@\\\s]/.test(host) || !URL.canParse(url)) return undefined;
  return new URL(url).hostname.replace(/^\[|\]$/g, '').toLowerCase();
}

function cookieOf(request: IncomingMessage): string | undefined {
  for (const pair of (request.headers.cookie ?? '').split(';')) {
    const [name, value] = pair.trim().split('=');
    if (name === cookieName(request)) return value;
  }
  return undefined;
}

const bearerOf = ({ headers }: IncomingMessage): string | undefined =>
  /^Bearer +(\S+)$/i.exec(headers.authorization ?? '')?.[1];

export class AccessControl {
  private readonly names: ReadonlySet<string>;
  private readonly token: string | undefined;
  private readonly session: string | undefined;

  /**
   * @param names host names of the agent, in addition to `localhost` and the name of this machine
   * @param token undefined if no token is required
   */
  constructor(names: readonly string[], token: string | undefined) {
    this.names = new Set([...names, hostname()].map((name) => name.toLowerCase()));
    this.token = token;
    this.session = token === undefined ? undefined : sessionTokenOf(token);
  }

  /** Refuses requests of other sites' pages. @returns the refusal; undefined if the request is allowed */
  refuseForeign(request: IncomingMessage): RouteResponse | undefined {
    const { host = '', origin } = request.headers;
    const name = nameOf(host);
    // Anyone can point a name at this machine, but not an address.
    const isOurs =
      name !== undefined &&
      (isIP(name) !== 0 || name === 'localhost' || name.endsWith('.localhost') || this.names.has(name));
    // No browser sends the token in a header for another site.
    if (!isOurs && !this.hasToken(request))
      return refuse(
        403,
        `Host: "${host}" is not a name of this agent; expected its address, localhost, or a name in dashboard.hosts`,
      );
    if (origin !== undefined && (!URL.canParse(origin) || new URL(origin).host !== host.toLowerCase()))
      return refuse(403, `Origin: "${origin}" is another site`);
    const { 'sec-fetch-site': site, 'sec-fetch-mode': mode } = request.headers;
    if ((site === 'cross-site' || site === 'same-site') && mode !== 'navigate')
      return refuse(403, `Sec-Fetch-Site: "${site}"; expected same-origin`);
    return undefined;
  }

  /** Requires the token. @returns the refusal; undefined if the request is allowed */
  refuseUnauthenticated(request: IncomingMessage): RouteResponse | undefined {
    if (this.token === undefined || this.hasToken(request)) return undefined;
    const cookie = cookieOf(request);
    if (cookie !== undefined && isSameSecret(cookie, this.session!)) return undefined;
    return refuse(
      401,
      'a token is required: send "Authorization: Bearer <token>" with the content of the file token in data_dir',
      {
        'www-authenticate': 'Bearer realm="portlight"',
      },
    );
  }

  /** Exchanges the token for a session cookie, which no script can read and no other site can send. */
  login(request: IncomingMessage): RouteResponse {
    const refusal = this.refuseUnauthenticated(request);
    if (refusal !== undefined) return refusal;
    const headers: Record<string, string> =
      this.session === undefined
        ? {}
        : {
            'set-cookie': `${cookieName(request)}=${this.session}; Path=/; HttpOnly; SameSite=Strict; Max-Age=${COOKIE_SECONDS}`,
          };
    return { contentType: 'application/json', headers, body: '{}\n' };
  }

  private hasToken(request: IncomingMessage): boolean {
    const bearer = bearerOf(request);
    return this.token !== undefined && bearer !== undefined && isSameSecret(bearer, this.token);
  }
}

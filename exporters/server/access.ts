/**
 * Who may look. A page of another site, in the browser of somebody who can reach the agent, must not: its Origin gives
 * it away, or, where it has its own name point here (DNS rebinding), the Host. Beyond loopback a token is required.
 */
import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { hostname } from 'node:os';
import type { HttpResponse } from './route.ts';
import { isSameSecret, sessionTokenOf } from './token.ts';

/** Cookies know no ports: another agent on this host has one of its own. */
const cookieName = ({ socket }: IncomingMessage): string => `portlight-${socket.localPort}`;
const COOKIE_SECONDS = 30 * 86_400;

const refuse = (
  status: number,
  error: string,
  headers: Readonly<Record<string, string>> = {},
): HttpResponse => ({
  status,
  contentType: 'application/json',
  headers,
  body: `${JSON.stringify({ error })}\n`,
});

/** The name or address of a Host header or an Origin's host, without brackets and port; undefined where it has none. */
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
   * @param names host names that the agent is called by, besides `localhost` and this machine's own
   * @param token undefined where everybody who reaches the address may look
   */
  constructor(names: readonly string[], token: string | undefined) {
    this.names = new Set([...names, hostname()].map((name) => name.toLowerCase()));
    this.token = token;
    this.session = token === undefined ? undefined : sessionTokenOf(token);
  }

  /** What a request is answered that a page of another site has sent. */
  refuseForeign(request: IncomingMessage): HttpResponse | undefined {
    const { host = '', origin } = request.headers;
    const name = nameOf(host);
    // A name can be made to point anywhere; an address cannot.
    const isOurs =
      name !== undefined &&
      (isIP(name) !== 0 || name === 'localhost' || name.endsWith('.localhost') || this.names.has(name));
    // Only a browser can be tricked into asking, and none is tricked into sending the token.
    if (!isOurs && !this.hasToken(request))
      return refuse(
        403,
        `Host: "${host}" is not a name of this agent; expected its address, localhost, or a name that dashboard.hosts has`,
      );
    if (origin !== undefined && (!URL.canParse(origin) || new URL(origin).host !== host.toLowerCase()))
      return refuse(403, `Origin: "${origin}" is another site; expected this one`);
    const { 'sec-fetch-site': site, 'sec-fetch-mode': mode } = request.headers;
    if ((site === 'cross-site' || site === 'same-site') && mode !== 'navigate')
      return refuse(403, `Sec-Fetch-Site: "${site}"; expected same-origin`);
    return undefined;
  }

  /** What a request is answered that does not show the token where one is required. */
  refuseUnauthenticated(request: IncomingMessage): HttpResponse | undefined {
    if (this.token === undefined || this.hasToken(request)) return undefined;
    const cookie = cookieOf(request);
    if (cookie !== undefined && isSameSecret(cookie, this.session!)) return undefined;
    return refuse(
      401,
      'a token is required: Authorization: Bearer <the text of the file token in data_dir>',
      {
        'www-authenticate': 'Bearer realm="portlight"',
      },
    );
  }

  /** Gives a browser that shows the token a cookie instead, which no script can read and no other site send. */
  login(request: IncomingMessage): HttpResponse {
    const unknown = this.refuseUnauthenticated(request);
    if (unknown !== undefined) return unknown;
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

/**
 * Node's http as require gives it. An import evaluates every export, a WebSocket among them: with it comes a client of
 * HTTP that is not used here, and costs 14 MB of memory and the start a tenth of a second.
 */
export const http: typeof import('node:http') = process.getBuiltinModule('node:http');

/** TLS is loaded by who speaks it: it costs 5 MB. */
export const https = (): typeof import('node:https') => process.getBuiltinModule('node:https');

/** The URL of an address: that of IPv6 stands in brackets. */
export const httpUrl = (host: string, port: number): string =>
  `http://${host.includes(':') ? `[${host}]` : host}:${port}`;

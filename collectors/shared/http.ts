/**
 * node:http without its WebSocket. An `import` evaluates every export, and the WebSocket loads undici, which
 * the agent does not use: 14 MB of memory and a tenth of a second at start.
 */
export const http: typeof import('node:http') = process.getBuiltinModule('node:http');

/** Loads TLS on first use: it costs 5 MB. */
export const https = (): typeof import('node:https') => process.getBuiltinModule('node:https');

/** The URL of an address, with brackets around an IPv6 address. */
export const httpUrl = (host: string, port: number): string =>
  `http://${host.includes(':') ? `[${host}]` : host}:${port}`;

/**
 * The contract of the HTTP API: JSON answers to GET requests under /api, and server-sent events at /api/stream.
 * The types of the answers are in api/, by subject.
 *
 * Units: times are milliseconds since the Unix epoch, durations milliseconds, sizes bytes, CPU a number of CPUs (1 is
 * one whole CPU), rates per second. A value that is unknown or unavailable on the host is null.
 *
 * | path | answer | query |
 * | --- | --- | --- |
 * | /api/containers | `Containers` | |
 * | /api/container | `ContainerDetails` | `id` |
 * | /api/series | `SeriesAnswer` | `id` (repeatable), `metric` (repeatable; all by default), `since` |
 * | /api/logs | `Logs` | `id` (repeatable; all by default), `since`, `until`, `grep`, `severity`, `limit` |
 * | /api/events | `Events` | `id` (repeatable; all by default), `since`, `grep`, `severity`, `limit`, `exec` |
 * | /api/alerts | `Alerts` | |
 * | /api/namespaces | `NamespaceMap` | |
 * | /api/images | `Images` | |
 * | /api/image | `ImageDetails` | `id` |
 * | /api/host | `Host` | |
 * | /api/host/series | `SeriesAnswer` with the one id '' | `metric` (repeatable), `since` |
 * | /api/agent | `Agent` | |
 * | /api/login | `{}`, and a session cookie for browsers | |
 * | /api/stream | messages, see `Messages` | `follow` (repeatable): containers whose log lines are sent; `*` for all |
 *
 * Parameters:
 * - `id`: a container's id, an unambiguous prefix of it, or its name.
 * - `since`, `until`: times.
 * - `grep`: text, case-insensitive. Text with any of `\^$.*+?()[]{}|` is a regular expression (without look-around and
 *   back-references) if it is a valid one.
 * - `severity`: minimum OpenTelemetry severity number (9 INFO, 13 WARN, 17 ERROR).
 * - `limit`: maximum number of entries; the newest are returned.
 * - `exec=true`: includes routine events, which are left out by default: those of docker exec, which health checks
 *   cause by the thousand, and those of the inventory that the agent found at start.
 *
 * Errors have a `Failure` as body: 400 for an invalid parameter, 401 for a missing token, 403 for a foreign Host or
 * Origin, 404 for an unknown id, 503 if the daemon does not answer.
 *
 * If the agent listens beyond loopback, `Authorization: Bearer <token>` is required. The token is the content of the
 * file `token` in data_dir (exporters/server/token.ts).
 */
export * from './api/containers.ts';
export * from './api/events.ts';
export * from './api/host.ts';
export * from './api/images.ts';
export * from './api/logs.ts';
export * from './api/namespaces.ts';
export * from './api/series.ts';
export * from './api/stream.ts';

export interface Failure {
  readonly error: string;
}

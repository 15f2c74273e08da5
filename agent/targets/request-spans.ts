/** Traces the requests to a daemon while the agent traces itself. */

import type { RequestObserver } from '../../collectors/engine/client.ts';
import type { DaemonEndpoint } from '../../collectors/engine/daemon-endpoint.ts';
import type { Telemetry } from '../../exporters/shared/telemetry.ts';

/** Starts a span for each request to a daemon. @returns undefined where the agent does not trace itself */
export function requestSpans({ host }: DaemonEndpoint, { tracer }: Telemetry): RequestObserver | undefined {
  if (tracer === undefined) return undefined;
  return (template, path) => {
    const span = tracer.startSpan(`GET ${template}`, 'client', {
      'http.request.method': 'GET',
      'url.template': template,
      'url.path': path.split('?')[0]!,
      'server.address': host,
    });
    return (error) => {
      if (error?.statusCode !== undefined) span.setAttribute('http.response.status_code', error.statusCode);
      span.end(error?.message);
    };
  };
}

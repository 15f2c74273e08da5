/** The agent's HTTP endpoint: which page answers which path. */

import type { Server } from 'node:http';
import { errorMessage } from '../../collectors/shared/error-message.ts';
import type { Config } from '../../config/schema.ts';
import { type Alert, alertToJson } from '../../exporters/alerts/alert.ts';
import type { DashboardExporter } from '../../exporters/dashboard/index.ts';
import type { PrometheusExporter } from '../../exporters/prometheus/index.ts';
import type { AccessControl } from '../../exporters/server/access.ts';
import { healthRoutes, type ServerOptions, startServer } from '../../exporters/server/index.ts';
import type { RouteResponse } from '../../exporters/server/route.ts';
import type { Status } from '../../exporters/shared/status.ts';

export interface EndpointOptions {
  readonly access: AccessControl;
  readonly scrape: PrometheusExporter;
  /** Undefined where the dashboard is off. */
  readonly dashboard: DashboardExporter | undefined;
  readonly isReady: () => boolean;
  readonly status: () => Status;
  readonly alerts: () => readonly Alert[];
  readonly onError: (error: unknown) => void;
}

const json = (value: unknown): RouteResponse => ({
  contentType: 'application/json',
  body: JSON.stringify(value),
});

function routesOf(options: EndpointOptions): ServerOptions {
  const { access, scrape, dashboard, status, alerts } = options;
  return {
    health: healthRoutes(options.isReady),
    public: { ...dashboard?.pageRoutes, '/api/login': (request) => access.login(request) },
    protected: {
      '/metrics': ({ headers }) => scrape.metrics(headers.accept),
      '/metrics/cadvisor': ({ headers }) => scrape.cadvisorMetrics(headers.accept),
      '/status': () => json(status()),
      '/alerts': () => json(alerts().map(alertToJson)),
      ...dashboard?.routes,
    },
    access,
    onError: options.onError,
  };
}

/** @throws {Error} when the address cannot be listened on */
export async function openEndpoint(address: Config['listen'], options: EndpointOptions): Promise<Server> {
  try {
    return await startServer(address, routesOf(options));
  } catch (error) {
    throw new Error(
      `listen: ${address.host}:${address.port}: ${errorMessage(error)}; choose another address with --listen`,
    );
  }
}

export async function closeEndpoint(server: Server): Promise<void> {
  const closed = new Promise((resolve) => server.close(resolve));
  server.closeAllConnections();
  await closed;
}

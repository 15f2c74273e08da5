/** Synthetic containers (simulated-host.ts): a crowd of many, and a small host with a scenario. */
import type { Container } from '../../collectors/records/records.ts';
import type { ImageLayer } from '../../exporters/dashboard/api.ts';
import type { NamespaceMembership } from '../../exporters/dashboard/data-sources.ts';
import { MEBIBYTE } from './units.ts';

/** A synthetic container. */
export interface SyntheticContainer {
  readonly name: string;
  readonly image: string;
  readonly project?: string;
  readonly service?: string;
  /** Mean CPU usage; it varies around this. */
  readonly cpu: number;
  readonly cpuLimit?: number;
  /** MiB. */
  readonly memory: number;
  readonly memoryLimit?: number;
  /** Bytes per second. */
  readonly network?: number;
  readonly disk?: number;
  readonly pids: number;
  readonly health?: string;
  readonly status?: string;
  readonly exitCode?: number;
  readonly restarts?: number;
  /** Name of the container whose network it shares. */
  readonly joins?: string;
}

const TYPES = ['pid', 'net', 'ipc', 'mnt', 'uts', 'user', 'cgroup', 'time'];

export function memberships(
  containers: ReadonlyMap<string, Container>,
  parts: ReadonlyMap<string, SyntheticContainer>,
): Map<string, NamespaceMembership[]> {
  const all = [...containers.values()];
  return new Map(
    all
      .filter(({ pid }) => pid !== 0)
      .map((container) => {
        const joined = all.findIndex(({ name }) => name === parts.get(container.id)?.joins);
        const own = all.indexOf(container);
        const memberships = TYPES.map((type, index) => {
          const host = type === 'user' || type === 'time';
          const owner = joined !== -1 && (type === 'net' || type === 'uts') ? joined : own;
          return { type, inode: host ? 4_026_531_834 + index : 4_026_532_000 + owner * 8 + index, host };
        });
        return [container.id, memberships] as const;
      }),
  );
}

export const layers = (createdAt: number): ImageLayer[] =>
  [
    ['CMD ["node" "server.js"]', 0],
    ['COPY /app/dist ./dist', 4.2 * MEBIBYTE],
    ['RUN /bin/sh -c npm ci --omit=dev', 41 * MEBIBYTE],
    ['ENV NODE_ENV', 0],
    ['COPY package.json package-lock.json ./', 0.3 * MEBIBYTE],
    ['ADD rootfs.tar.xz /', 117 * MEBIBYTE],
  ].map(([instruction, size]) => ({ createdAt, instruction: String(instruction), size: Number(size) }));

const KINDS = ['api', 'web', 'worker', 'cache', 'db', 'queue', 'search', 'mail', 'cron', 'proxy'];

/** Any number of containers, in projects of ten. */
export const crowd = (count: number): SyntheticContainer[] =>
  Array.from({ length: count }, (_, index) => {
    const kind = KINDS[index % KINDS.length]!;
    const project = `team-${String(Math.floor(index / KINDS.length)).padStart(2, '0')}`;
    return {
      name: `${project}-${kind}-1`,
      image: `registry.example/${kind}:1.${index % 7}`,
      project,
      service: kind,
      cpu: 0.01 + ((index * 37) % 100) / 180,
      memory: 20 + ((index * 53) % 400),
      ...(index % 3 === 0 && { memoryLimit: 512 }),
      ...(index % 4 === 0 && { cpuLimit: 1 }),
      network: 500 * (1 + ((index * 13) % 90)),
      disk: 900 * ((index * 11) % 40),
      pids: 2 + (index % 30),
    };
  });

/** A host with a shop, its monitoring, and others. */
export const shopHost: readonly SyntheticContainer[] = [
  {
    name: 'shop-web-1',
    image: 'shop/web:4.2.1',
    project: 'shop',
    service: 'web',
    cpu: 0.42,
    cpuLimit: 1,
    memory: 212,
    memoryLimit: 512,
    network: 410_000,
    disk: 9000,
    pids: 24,
    health: 'healthy',
  },
  {
    name: 'shop-web-2',
    image: 'shop/web:4.2.1',
    project: 'shop',
    service: 'web',
    cpu: 0.38,
    cpuLimit: 1,
    memory: 205,
    memoryLimit: 512,
    network: 388_000,
    disk: 9000,
    pids: 24,
    health: 'healthy',
  },
  {
    name: 'shop-checkout-1',
    image: 'shop/checkout:4.2.1',
    project: 'shop',
    service: 'checkout',
    cpu: 0.21,
    cpuLimit: 0.25,
    memory: 471,
    memoryLimit: 512,
    network: 96_000,
    disk: 4000,
    pids: 31,
    health: 'healthy',
    restarts: 3,
  },
  {
    name: 'shop-checkout-proxy-1',
    image: 'envoyproxy/envoy:v1.31',
    project: 'shop',
    service: 'checkout-proxy',
    cpu: 0.05,
    memory: 44,
    pids: 12,
    joins: 'shop-checkout-1',
  },
  {
    name: 'shop-db-1',
    image: 'postgres:17',
    project: 'shop',
    service: 'db',
    cpu: 0.33,
    memory: 1430,
    memoryLimit: 2048,
    network: 720_000,
    disk: 1_900_000,
    pids: 48,
    health: 'healthy',
  },
  {
    name: 'shop-cache-1',
    image: 'valkey/valkey:8',
    project: 'shop',
    service: 'cache',
    cpu: 0.09,
    memory: 186,
    memoryLimit: 256,
    network: 510_000,
    disk: 0,
    pids: 6,
    health: 'healthy',
  },
  {
    name: 'shop-search-1',
    image: 'shop/search:2.9.0',
    project: 'shop',
    service: 'search',
    cpu: 0.72,
    memory: 1820,
    memoryLimit: 2048,
    network: 150_000,
    disk: 640_000,
    pids: 88,
    health: 'unhealthy',
  },
  {
    name: 'shop-queue-1',
    image: 'rabbitmq:4',
    project: 'shop',
    service: 'queue',
    cpu: 0.06,
    memory: 143,
    network: 88_000,
    disk: 52_000,
    pids: 37,
    health: 'healthy',
  },
  {
    name: 'shop-worker-1',
    image: 'shop/worker:4.2.1',
    project: 'shop',
    service: 'worker',
    cpu: 0.55,
    memory: 260,
    memoryLimit: 384,
    network: 61_000,
    disk: 21_000,
    pids: 14,
  },
  {
    name: 'shop-worker-2',
    image: 'shop/worker:4.2.1',
    project: 'shop',
    service: 'worker',
    cpu: 0.51,
    memory: 251,
    memoryLimit: 384,
    network: 60_000,
    disk: 20_000,
    pids: 14,
  },
  {
    name: 'shop-migrate-1',
    image: 'shop/web:4.2.1',
    project: 'shop',
    service: 'migrate',
    cpu: 0,
    memory: 0,
    pids: 0,
    status: 'exited',
  },
  {
    name: 'watch-prometheus-1',
    image: 'prom/prometheus:v3.1.0',
    project: 'watch',
    service: 'prometheus',
    cpu: 0.12,
    memory: 640,
    network: 42_000,
    disk: 310_000,
    pids: 15,
  },
  {
    name: 'watch-grafana-1',
    image: 'grafana/grafana:11.5',
    project: 'watch',
    service: 'grafana',
    cpu: 0.03,
    memory: 118,
    network: 6000,
    disk: 2000,
    pids: 19,
    health: 'healthy',
  },
  {
    name: 'watch-loki-1',
    image: 'grafana/loki:3.4',
    project: 'watch',
    service: 'loki',
    cpu: 0.14,
    memory: 301,
    network: 70_000,
    disk: 410_000,
    pids: 13,
  },
  {
    name: 'blog-ghost-1',
    image: 'ghost:5',
    project: 'blog',
    service: 'ghost',
    cpu: 0.02,
    memory: 151,
    network: 4000,
    disk: 500,
    pids: 11,
  },
  {
    name: 'blog-mysql-1',
    image: 'mysql:9',
    project: 'blog',
    service: 'mysql',
    cpu: 0.04,
    memory: 402,
    network: 3000,
    disk: 18_000,
    pids: 41,
  },
  { name: 'registry', image: 'registry:3', cpu: 0.004, memory: 22, network: 900, disk: 700, pids: 8 },
  {
    name: 'nightly-backup',
    image: 'restic/restic:0.17',
    cpu: 0,
    memory: 0,
    pids: 0,
    status: 'exited',
    exitCode: 1,
  },
  {
    name: 'portlight',
    image: 'portlight:0.1.0',
    cpu: 0.02,
    memory: 74,
    network: 2000,
    disk: 3000,
    pids: 11,
    health: 'healthy',
  },
];

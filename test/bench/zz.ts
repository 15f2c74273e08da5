import { execFileSync, spawn } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';

const entry = (log: string, index: number): string =>
  `{"log":${JSON.stringify(`${log}\n`)},"stream":"stdout","time":"2026-11-24T05:43:${String(Math.floor(index / 10_000) % 60).padStart(2, '0')}.${String((index % 10_000) * 100_000 + 1).padStart(9, '0')}Z"}\n`;
const plainText = (index: number): string =>
  `10.0.0.${index % 256} - - "GET /api/items/${String(index).padStart(8, '0')} HTTP/1.1" 200 ${'x'.repeat(48)}`
    .replaceAll('"', "'")
    .padEnd(107, '.');
const jsonText = (index: number): string =>
  JSON.stringify({
    level: 'info',
    time: 1_795_512_763_733 + index,
    msg: 'request completed',
    method: 'GET',
    path: `/api/items/${index}`,
    status: 200,
    ms: 12.5,
  });
for (const [k, f] of [
  ['plain', plainText],
  ['json', jsonText],
] as const)
  for (let i = 0; i < 8; i++) {
    const p = `/tmp/lb/${k}-${i}.log`;
    if (!existsSync(p)) writeFileSync(p, Array.from({ length: 200000 }, (_, x) => entry(f(x), x)).join(''));
  }
const [way, kind, ...flags] = process.argv.slice(2);
const r = spawn(process.execPath, ['test/bench/logs-receiver.ts'], { stdio: ['ignore', 'pipe', 'inherit'] });
const port = await new Promise((res) => r.stdout.once('data', (t) => res(String(t).trim())));
const w = spawn(process.execPath, ['--max-semi-space-size=1', ...flags, 'test/bench/logs-worker.ts'], {
  env: { ...process.env, OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}` },
  stdio: ['pipe', 'pipe', 'inherit'],
});
execFileSync('rm', ['-rf', '/tmp/lb/data']);
w.stdin.end(
  JSON.stringify({
    way,
    files: Array.from({ length: 8 }, (_, i) => `/tmp/lb/${kind}-${i}.log`),
    lines: 1_600_000,
    data: '/tmp/lb/data',
  }),
);
let o = '';
w.stdout.on('data', (d) => (o += d));
await new Promise((res) => w.on('close', res));
const j = JSON.parse(o);
console.log(
  way,
  kind,
  (1.6e6 / j.cpuMicros).toFixed(3),
  'M/cpu-s wall',
  j.wallMs.toFixed(0),
  'peak',
  j.peakMegabytes.toFixed(0),
);
r.kill();

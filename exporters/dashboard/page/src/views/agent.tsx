/** The agent: collected and delivered records, backlog, drops, and its own resource usage. */
import { useRef } from 'preact/hooks';
import type { Agent } from '../../../api.ts';
import { bytes, count, duration, inUnit, percent } from '../lib/format.ts';
import { shareOf } from '../lib/status.ts';
import { Bar } from '../parts/status.tsx';
import { now } from '../state/live.ts';
import { usePolled } from '../state/polled.ts';

const EVERY_MS = 5000;

export function AgentView() {
  const agent = usePolled<Agent>('/api/agent', EVERY_MS);
  /** CPU time of the previous answer, for the current CPU usage. */
  const before = useRef<{ seconds: number; at: number; share: number | null; answer: Agent | undefined }>({
    seconds: 0,
    at: 0,
    share: null,
    answer: undefined,
  });
  if (agent === undefined) return <main class="page" />;
  const last = before.current;
  if (last.answer !== agent) {
    const at = performance.now();
    const share = last.at === 0 ? null : (agent.cpuSeconds - last.seconds) / ((at - last.at) / 1000);
    before.current = { seconds: agent.cpuSeconds, at, share, answer: agent };
  }
  const { status, collectors, kept, rss, cpuSeconds } = agent;
  const { daemons, destinations, deliveries, collected, dropped } = status;
  return (
    <main class="page agent">
      <h1 class="unseen">Agent</h1>
      <dl class="summary">
        <div>
          <dt>version</dt>
          <dd>{status.version}</dd>
        </div>
        <div>
          <dt>uptime</dt>
          <dd>{duration(now.value - Date.parse(status.since))}</dd>
        </div>
        <div>
          <dt>memory</dt>
          <dd>{bytes(rss)}</dd>
        </div>
        <div>
          <dt>CPU</dt>
          <dd>
            {percent(before.current.share)}
            <small> {duration(cpuSeconds * 1000)} total</small>
          </dd>
        </div>
        {daemons.map(({ name, host, connected }) => (
          <div key={host} class={connected ? '' : 'bad'}>
            <dt>{name === null ? 'daemon' : <bdi>{name}</bdi>}</dt>
            <dd>
              {connected ? 'connected' : 'disconnected'}
              <small>
                {' '}
                <bdi>{host}</bdi>
              </small>
            </dd>
          </div>
        ))}
      </dl>
      <div class="columns">
        <section>
          <h2>Collected</h2>
          <table class="list">
            <thead>
              <tr>
                <th scope="col">signal</th>
                <th scope="col">records</th>
              </tr>
            </thead>
            <tbody>
              {Object.entries(collected).map(([signal, number]) => (
                <tr key={signal}>
                  <th scope="row">{signal}</th>
                  <td>{count(number)}</td>
                </tr>
              ))}
              {Object.entries(dropped).map(([what, number]) => (
                <tr key={what} class="warn">
                  <th scope="row">dropped: {what}</th>
                  <td>{count(number)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </section>
        <section>
          <h2>Collectors</h2>
          <table class="list">
            <thead>
              <tr>
                <th scope="col">collector</th>
                <th scope="col">time</th>
                <th scope="col">errors</th>
              </tr>
            </thead>
            <tbody>
              {collectors.map(({ name, seconds, errors }) => (
                <tr key={name} class={errors > 0 ? 'warn' : ''}>
                  <th scope="row">{name}</th>
                  <td>{inUnit(seconds, 's')}</td>
                  <td>{count(errors)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </section>
        <section>
          <h2>Dashboard memory</h2>
          <table class="list">
            <thead>
              <tr>
                <th scope="col">data</th>
                <th scope="col">used</th>
                <th scope="col">limit</th>
                <th scope="col">
                  <span class="unseen">Share</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {kept.map(({ what, used, bound, unit }) => (
                <tr key={what}>
                  <th scope="row">{what}</th>
                  <td>{inUnit(used, unit)}</td>
                  <td>{inUnit(bound, unit)}</td>
                  <td class="share">
                    <Bar share={shareOf(used, bound)} isPlain />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </section>
      </div>
      <section>
        <h2>Deliveries</h2>
        {deliveries.length === 0 ? (
          <p class="empty">No OTLP receiver configured (OTEL_EXPORTER_OTLP_ENDPOINT)</p>
        ) : (
          <div class="wide">
            <p>
              {destinations.map(({ name, reachable }) => (
                <span key={name} class={`word ${reachable ? 'good' : 'bad'}`}>
                  <bdi>{name}</bdi> {reachable ? 'reachable' : 'unreachable'}
                </span>
              ))}
            </p>
            <table class="list">
              <thead>
                <tr>
                  <th scope="col">destination</th>
                  <th scope="col" class="left">
                    signal
                  </th>
                  <th scope="col">sent</th>
                  <th scope="col">bytes</th>
                  <th scope="col">queued</th>
                  <th scope="col">oldest</th>
                  <th scope="col">retries</th>
                  <th scope="col">dropped</th>
                </tr>
              </thead>
              <tbody>
                {deliveries.map((each) => (
                  <tr key={`${each.destination} ${each.signal}`}>
                    <th scope="row">
                      <bdi>{each.destination}</bdi>
                    </th>
                    <td class="left">{each.signal}</td>
                    <td>{count(each.sent)}</td>
                    <td>{bytes(each.sentBytes)}</td>
                    <td>{bytes(each.waitingBytes)}</td>
                    <td>{each.oldestAge === null ? '–' : duration(each.oldestAge * 1000)}</td>
                    <td>{count(each.retries)}</td>
                    <td>{count(Object.values(each.dropped).reduce((sum, number) => sum + number, 0))}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
      </section>
    </main>
  );
}

/** The running agent as `top` and the other commands see it, where it is not well. */
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { AgentClient, AgentRefusal } from '../../agent/views/watch/agent-client.ts';
import { AgentSource } from '../../agent/views/watch/agent-source.ts';
import { insertEvent, MAX_VIEW_EVENTS } from '../../agent/views/watch/view-source.ts';
import type { EventEntry, Messages } from '../../exporters/dashboard/api.ts';
import { waitFor } from '../support/wait.ts';

const SNAPSHOT: Messages['snapshot'] = {
  ...{ time: 0, interval: 1000, containers: [], alerts: [] },
  ...{ version: '0', host: 'host', hostFigures: null, connected: true },
};

const messageOf = <Name extends keyof Messages>(name: Name, data: Messages[Name]): string =>
  `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;

/** Something that answers in the agent's place. @param stream what `/api/stream` answers */
async function agent(t: ExecutionContext, stream: RequestListener, silence?: number): Promise<AgentClient> {
  const server = createServer((request, response) => {
    if (request.url!.startsWith('/api/stream')) stream(request, response);
    else response.end(JSON.stringify({ figures: null, events: [] }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return new AgentClient({ listen: { host: '127.0.0.1', port }, data_dir: '/nonexistent' }, silence);
}

function sourceOf(t: ExecutionContext, client: AgentClient): AgentSource {
  const source = new AgentSource(client);
  t.teardown(() => source.close());
  return source;
}

test('an agent without a daemon connection is reported from the start', async (t) => {
  const client = await agent(t, (_request, response) => {
    response.write(messageOf('snapshot', { ...SNAPSHOT, connected: false }));
    setTimeout(() => response.write(messageOf('daemon', { connected: true })), 200);
  });
  const source = sourceOf(t, client);
  await source.start(() => {});
  t.is(source.state.problem, 'the agent is not connected to its daemon');
  await waitFor('the daemon', () => source.state.problem === undefined);
});

test('a refused stream fails at once', async (t) => {
  const full = await agent(t, (_request, response) => {
    response.writeHead(503).end(JSON.stringify({ error: 'too many open streams' }));
  });
  await t.throwsAsync(
    sourceOf(t, full).start(() => {}),
    { message: `the agent at ${full.url} refuses the request: too many open streams` },
  );
  const closed = await agent(t, (_request, response) => response.end());
  await t.throwsAsync(
    sourceOf(t, closed).start(() => {}),
    { message: `the agent at ${closed.url} closed the connection` },
  );
});

test('a lost connection is reported and retried', async (t) => {
  let asked = 0;
  const client = await agent(t, (_request, response) => {
    asked++;
    if (asked === 2) response.writeHead(503).end(JSON.stringify({ error: 'too many open streams' }));
    else response.write(messageOf('snapshot', SNAPSHOT));
    if (asked === 1) setTimeout(() => response.end(), 100);
  });
  const source = sourceOf(t, client);
  const troubles: (string | undefined)[] = [];
  await source.start(() => troubles.push(source.state.problem));
  await waitFor('the third connection', () => asked === 3 && source.state.problem === undefined);
  t.true(troubles.includes(`the agent at ${client.url} closed the connection; reconnecting`));
  t.true(
    troubles.includes(`the agent at ${client.url} refuses the request: too many open streams; reconnecting`),
  );
});

test('a stream without data is reconnected; heartbeats keep an idle one open', async (t) => {
  let asked = 0;
  let beat: NodeJS.Timeout | undefined;
  t.teardown(() => clearInterval(beat));
  const client = await agent(
    t,
    (_request, response) => {
      response.write(messageOf('snapshot', SNAPSHOT));
      if (++asked === 2) beat = setInterval(() => response.write('event: beat\ndata: {}\n\n'), 50);
    },
    1000,
  );
  const source = sourceOf(t, client);
  const troubles: (string | undefined)[] = [];
  await source.start(() => troubles.push(source.state.problem));
  await waitFor(
    'the second snapshot',
    () => asked === 2 && troubles.length > 2 && troubles.at(-1) === undefined,
  );
  t.true(
    troubles.includes(`the agent at ${client.url} does not answer: no data for 1 s; reconnecting`),
    String(troubles),
  );
  const before = troubles.length;
  await sleep(2500);
  t.is(asked, 2);
  t.is(troubles.length, before, 'a heartbeat is not a change');
});

test('events of docker exec push no other out', (t) => {
  const events: EventEntry[] = [];
  const add = (time: number, name: string) =>
    insertEvent(events, {
      ...{ sequence: time, time, name, severity: 9, body: '', attributes: {} },
      container: { id: 'a', name: 'a' },
    });
  add(0, 'docker.container.start');
  for (let time = 1; time <= MAX_VIEW_EVENTS + 10; time++) add(time, 'docker.container.exec_start');
  t.is(events.length, MAX_VIEW_EVENTS);
  t.is(events[0]!.name, 'docker.container.start');
  t.is(events[1]!.time, 12, 'the oldest of docker exec went');
  for (let time = 1; time <= MAX_VIEW_EVENTS; time++)
    add(MAX_VIEW_EVENTS + 10 + time, 'docker.container.die');
  t.true(events.every(({ name }) => name === 'docker.container.die'));
  t.is(events.length, MAX_VIEW_EVENTS);
  add(3 * MAX_VIEW_EVENTS, 'docker.container.exec_die');
  t.is(events.at(-1)!.name, 'docker.container.die');
});

test('a client on loopback of an agent beyond it gets a hint', async (t) => {
  const client = await agent(t, (_request, response) => {
    response.writeHead(401).end(JSON.stringify({ error: 'a token is required' }));
  });
  await t.throwsAsync(client.get('/api/stream'), {
    instanceOf: AgentRefusal,
    message: 'a token is required; set --listen to the same address as the agent',
  });
});

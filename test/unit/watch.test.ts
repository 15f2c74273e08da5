/** The running agent as `top` and the other commands see it, where it is not well. */
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import { AgentSource } from '../../agent/watch/agent-source.ts';
import { AgentClient } from '../../agent/watch/client.ts';
import type { Messages } from '../../exporters/dashboard/api.ts';
import { waitFor } from '../support/wait.ts';

const SNAPSHOT: Messages['snapshot'] = {
  ...{ time: 0, interval: 1000, containers: [], alerts: [] },
  ...{ version: '0', host: 'host', hostFigures: null, connected: true },
};

const messageOf = <Name extends keyof Messages>(name: Name, data: Messages[Name]): string =>
  `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;

/** Something that answers in the agent's place. @param stream what `/api/stream` answers */
async function agent(t: ExecutionContext, stream: RequestListener): Promise<AgentClient> {
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
  return new AgentClient({ listen: { host: '127.0.0.1', port }, data_dir: '/nonexistent' });
}

function sourceOf(t: ExecutionContext, client: AgentClient): AgentSource {
  const source = new AgentSource(client);
  t.teardown(() => source.stop());
  return source;
}

test('an agent that does not see its daemon is told of from the start', async (t) => {
  const client = await agent(t, (_request, response) => {
    response.write(messageOf('snapshot', { ...SNAPSHOT, connected: false }));
    setTimeout(() => response.write(messageOf('daemon', { connected: true })), 200);
  });
  const source = sourceOf(t, client);
  await source.start(() => {});
  t.is(source.scene.trouble, 'the agent does not see its daemon');
  await waitFor('the daemon', () => source.scene.trouble === undefined);
});

/** One question to the running agent, for commands that have nobody else to ask. */
import { errorMessage } from '../../collectors/shared/error-message.ts';
import type { Config } from '../../config/schema.ts';
import { AgentClient, AgentRefusal } from '../views/watch/agent-client.ts';

/** @throws {Error} when no agent answers where this one would listen */
export async function queryAgent<T>(config: Pick<Config, 'listen' | 'data_dir'>, path: string): Promise<T> {
  const client = new AgentClient(config);
  try {
    return await client.get<T>(path);
  } catch (error) {
    if (error instanceof AgentRefusal) throw new Error(`${client.url}${path}: ${error.message}`);
    throw new Error(
      `no agent answers at ${client.url}${path}: ${errorMessage(error)}; --listen names where it listens`,
    );
  }
}

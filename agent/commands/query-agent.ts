/** A query to the running agent, for commands that require one. */
import { errorMessage } from '../../collectors/shared/error-message.ts';
import type { Config } from '../../config/schema.ts';
import { AgentClient, AgentRefusal } from '../views/watch/agent-client.ts';

/** @throws {Error} if no agent answers at the configured `listen` address */
export async function queryAgent<T>(config: Pick<Config, 'listen' | 'data_dir'>, path: string): Promise<T> {
  const client = new AgentClient(config);
  try {
    return await client.get<T>(path);
  } catch (error) {
    if (error instanceof AgentRefusal) throw new Error(`${client.url}${path}: ${error.message}`);
    throw new Error(
      `no agent answers at ${client.url}${path}: ${errorMessage(error)}. If it listens elsewhere, set --listen`,
    );
  }
}

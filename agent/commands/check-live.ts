/** `portlight check --live`: whether the agent's process works, for health checks, which ask often and have no shell. */

import type { IncomingMessage } from 'node:http';
import type { Command } from 'commander';
import { errorMessage } from '../../collectors/shared/error-message.ts';
import { http, httpUrl } from '../../collectors/shared/http.ts';
import { loadCommandConfig } from './config-flags.ts';
import { print } from './output.ts';

const ANSWER_MS = 5000;

/** @throws {Error} when no agent answers where this one would listen, or it says that it does not work */
export async function checkLive(command: Command): Promise<void> {
  const { config, settings } = await loadCommandConfig(command);
  const { host, port } = config.listen;
  const origin = settings.get('listen')?.origin;
  if (port === 0)
    throw new Error(`listen (${origin}): ${host}:0 is another port at each start; expected the one to ask`);
  const url = `${httpUrl(host, port)}/healthz`;
  let response: IncomingMessage;
  try {
    response = await new Promise((resolve, reject) => {
      const request = http.get(url, { agent: false, timeout: ANSWER_MS }, resolve).once('error', reject);
      request.once('timeout', () => request.destroy(new Error(`silent for ${ANSWER_MS / 1000} s`)));
    });
  } catch (error) {
    throw new Error(
      `no agent answers at ${url}: ${errorMessage(error)}; run and check --live need the same listen (here: ${origin})`,
    );
  }
  response.resume();
  if (response.statusCode !== 200) throw new Error(`${url} answers ${response.statusCode}; expected 200`);
  print(`the agent answers at ${url}`);
}

/** `portlight check --live`: whether the agent's process is alive, for health checks in containers without a shell. */

import type { IncomingMessage } from 'node:http';
import type { Command } from 'commander';
import { errorMessage } from '../../collectors/shared/error-message.ts';
import { http, httpUrl } from '../../collectors/shared/http.ts';
import { loadCommandConfig } from './config-flags.ts';
import { print } from './output.ts';

const ANSWER_MS = 5000;

/** @throws {Error} if no agent answers at the configured `listen` address, or it answers with an error */
export async function checkLive(command: Command): Promise<void> {
  const { config, settings } = await loadCommandConfig(command);
  const { host, port } = config.listen;
  const origin = settings.get('listen')?.origin;
  if (port === 0)
    throw new Error(`listen (${origin}): ${host}:0 is a random port; expected the port of the running agent`);
  const url = `${httpUrl(host, port)}/healthz`;
  let response: IncomingMessage;
  try {
    response = await new Promise((resolve, reject) => {
      const request = http.get(url, { agent: false, timeout: ANSWER_MS }, resolve).once('error', reject);
      request.once('timeout', () => request.destroy(new Error(`no response within ${ANSWER_MS / 1000} s`)));
    });
  } catch (error) {
    throw new Error(
      `no agent answers at ${url}: ${errorMessage(error)}. "run" and "check --live" need the same listen address (here from: ${origin})`,
    );
  }
  response.resume();
  if (response.statusCode !== 200) throw new Error(`${url} answers ${response.statusCode}; expected 200`);
  print(`the agent answers at ${url}`);
}

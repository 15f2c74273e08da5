/** The running agent, which has the last hour of everything, and measures anyway. */

import { setTimeout as sleep } from 'node:timers/promises';
import { errorMessage } from '../../../collectors/shared/error-message.ts';
import type { AlertMark, Alerts, Events, Host, SeriesAnswer } from '../../../exporters/dashboard/api.ts';
import { agentLines } from './agent-logs.ts';
import { type AgentClient, type Message, Refused } from './client.ts';
import type { Line } from './line.ts';
import { addInOrder, emptyScene, MAX_EVENTS, type Series, type Source } from './source.ts';

/** How soon a connection that was lost is tried again. */
const AGAIN_MS = 1000;

export class AgentSource implements Source {
  readonly origin: string;
  readonly scene = emptyScene();
  private readonly client: AgentClient;
  private readonly stopping = new AbortController();
  private changed: () => void = () => {};
  /** Sequence of the last event that was told. */
  private last = 0;

  constructor(client: AgentClient) {
    this.client = client;
    this.origin = `agent at ${client.url}`;
  }

  async start(changed: () => void): Promise<void> {
    this.changed = changed;
    this.scene.host = (await this.client.get<Host>('/api/host')).figures;
    const first = Promise.withResolvers<void>();
    void this.follow(first);
    try {
      await first.promise;
    } catch (error) {
      this.stopping.abort();
      throw error;
    }
  }

  async stop(): Promise<void> {
    this.stopping.abort();
  }

  async series(id: string, since: number): Promise<Series> {
    const { step, series } = await this.client.get<SeriesAnswer>('/api/series', { id, since });
    return { step, values: series[id] as Series['values'] };
  }

  log(id: string, tail: number, signal: AbortSignal): AsyncGenerator<Line> {
    return agentLines(this.client, [id], { since: undefined, tail }, true, signal);
  }

  /** @param first settled when there is a scene, or when the first connection brings none */
  private async follow(first: PromiseWithResolvers<void>): Promise<void> {
    const { signal } = this.stopping;
    while (!signal.aborted) {
      const reason = await this.followOnce(first.resolve);
      first.reject(new Error(reason));
      this.scene.trouble = `${reason}: trying again`;
      this.changed();
      await sleep(AGAIN_MS, undefined, { signal }).catch(() => {});
    }
  }

  /** Follows one connection to its end. @returns why it ended */
  private async followOnce(ready: () => void): Promise<string> {
    try {
      for await (const message of this.client.stream([], this.stopping.signal)) {
        this.take(message);
        if (message.kind === 'snapshot') {
          await this.takeEvents();
          ready();
        }
        this.changed();
      }
      return `the ${this.origin} has closed the connection`;
    } catch (error) {
      const what = error instanceof Refused ? 'refuses' : 'does not answer';
      return `the ${this.origin} ${what}: ${errorMessage(error)}`;
    }
  }

  private async takeEvents(): Promise<void> {
    const { events } = await this.client.get<Events>('/api/events', { limit: MAX_EVENTS });
    this.last = events.at(-1)?.sequence ?? 0;
    this.scene.events = events.toSorted((a, b) => a.time - b.time);
  }

  private take(message: Message): void {
    const { scene } = this;
    switch (message.kind) {
      case 'snapshot':
        this.takeConnected(message.data.connected);
        scene.containers.clear();
        for (const container of message.data.containers) scene.containers.set(container.id, container);
        break;
      case 'figures':
        scene.host = message.data.host;
        for (const [id, figures] of Object.entries(message.data.figures)) {
          const known = scene.containers.get(id);
          if (known !== undefined) scene.containers.set(id, { ...known, figures });
        }
        break;
      case 'container':
        scene.containers.set(message.data.id, message.data);
        break;
      case 'forgotten':
        scene.containers.delete(message.data.id);
        break;
      case 'event':
        if (message.data.sequence <= this.last) break;
        this.last = message.data.sequence;
        addInOrder(scene.events, message.data);
        break;
      case 'alerts':
        this.takeAlerts(message.data);
        break;
      case 'daemon':
        this.takeConnected(message.data.connected);
        break;
    }
  }

  private takeConnected(connected: boolean): void {
    this.scene.trouble = connected ? undefined : 'the agent does not see its daemon';
  }

  private takeAlerts({ alerts }: Alerts): void {
    const marks = new Map<string, AlertMark[]>();
    for (const { container, rule, severity, status, annotations } of alerts) {
      if (container === undefined || status === 'resolved') continue;
      const mark = { rule, severity, status, summary: annotations.summary ?? rule };
      marks.set(container.id, [...(marks.get(container.id) ?? []), mark]);
    }
    for (const [id, known] of this.scene.containers)
      this.scene.containers.set(id, { ...known, alerts: marks.get(id) ?? [] });
  }
}

/** Data source of the views: a running agent, which has the last hour of data. */

import { setTimeout as sleep } from 'node:timers/promises';
import { errorMessage } from '../../../collectors/shared/error-message.ts';
import type { AlertMark, Alerts, Events, Host, SeriesAnswer } from '../../../exporters/dashboard/api.ts';
import { type AgentClient, AgentRefusal, type StreamMessage } from './agent-client.ts';
import { readAgentLogs } from './agent-logs.ts';
import type { DisplayLine } from './log-line.ts';
import {
  type ContainerSeries,
  createViewState,
  insertEvent,
  MAX_VIEW_EVENTS,
  type ViewSource,
} from './view-source.ts';

/** Delay before a lost connection is retried. */
const RETRY_MS = 1000;

export class AgentSource implements ViewSource {
  readonly origin: string;
  readonly state = createViewState();
  private readonly client: AgentClient;
  private readonly stopping = new AbortController();
  private changed: () => void = () => {};
  /** Sequence number of the latest event. */
  private lastSequence = 0;

  constructor(client: AgentClient) {
    this.client = client;
    this.origin = `agent at ${client.url}`;
  }

  async start(changed: () => void): Promise<void> {
    this.changed = changed;
    this.state.host = (await this.client.get<Host>('/api/host')).figures;
    const first = Promise.withResolvers<void>();
    void this.follow(first);
    try {
      await first.promise;
    } catch (error) {
      this.stopping.abort();
      throw error;
    }
  }

  async close(): Promise<void> {
    this.stopping.abort();
  }

  async series(id: string, since: number): Promise<ContainerSeries> {
    const { step, series } = await this.client.get<SeriesAnswer>('/api/series', { id, since });
    return { step, values: series[id] as ContainerSeries['values'] };
  }

  readLog(id: string, tail: number, signal: AbortSignal): AsyncGenerator<DisplayLine> {
    return readAgentLogs(this.client, [id], { since: undefined, tail }, true, signal);
  }

  /** @param first resolved once the state is complete, rejected if the first connection fails */
  private async follow(first: PromiseWithResolvers<void>): Promise<void> {
    const { signal } = this.stopping;
    while (!signal.aborted) {
      const reason = await this.followOnce(first.resolve);
      first.reject(new Error(reason));
      this.state.problem = `${reason}; reconnecting`;
      this.changed();
      await sleep(RETRY_MS, undefined, { signal }).catch(() => {});
    }
  }

  /** Follows one connection to its end. @returns why it ended */
  private async followOnce(ready: () => void): Promise<string> {
    try {
      for await (const message of this.client.stream([], this.stopping.signal)) {
        this.handleMessage(message);
        if (message.kind === 'snapshot') {
          await this.loadEvents();
          ready();
        }
        this.changed();
      }
      return `the ${this.origin} closed the connection`;
    } catch (error) {
      const what = error instanceof AgentRefusal ? 'refuses the request' : 'does not answer';
      return `the ${this.origin} ${what}: ${errorMessage(error)}`;
    }
  }

  private async loadEvents(): Promise<void> {
    const { events } = await this.client.get<Events>('/api/events', { limit: MAX_VIEW_EVENTS });
    this.lastSequence = events.at(-1)?.sequence ?? 0;
    this.state.events = events.toSorted((a, b) => a.time - b.time);
  }

  private handleMessage(message: StreamMessage): void {
    const { state } = this;
    switch (message.kind) {
      case 'snapshot':
        this.setConnected(message.data.connected);
        state.containers.clear();
        for (const container of message.data.containers) state.containers.set(container.id, container);
        break;
      case 'figures':
        state.host = message.data.host;
        for (const [id, figures] of Object.entries(message.data.figures)) {
          const known = state.containers.get(id);
          if (known !== undefined) state.containers.set(id, { ...known, figures });
        }
        break;
      case 'container':
        state.containers.set(message.data.id, message.data);
        break;
      case 'forgotten':
        state.containers.delete(message.data.id);
        break;
      case 'event':
        if (message.data.sequence <= this.lastSequence) break;
        this.lastSequence = message.data.sequence;
        insertEvent(state.events, message.data);
        break;
      case 'alerts':
        this.applyAlerts(message.data);
        break;
      case 'daemon':
        this.setConnected(message.data.connected);
        break;
    }
  }

  private setConnected(connected: boolean): void {
    this.state.problem = connected ? undefined : 'the agent is not connected to its daemon';
  }

  private applyAlerts({ alerts }: Alerts): void {
    const marks = new Map<string, AlertMark[]>();
    for (const { container, rule, severity, status, annotations } of alerts) {
      if (container === undefined || status === 'resolved') continue;
      const mark = { rule, severity, status, summary: annotations.summary ?? rule };
      marks.set(container.id, [...(marks.get(container.id) ?? []), mark]);
    }
    for (const [id, known] of this.state.containers)
      this.state.containers.set(id, { ...known, alerts: marks.get(id) ?? [] });
  }
}

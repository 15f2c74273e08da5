/** How all alerts are, and what was told of them: in memory, and where it survives a restart. */
import type { TextStore } from '../../collectors/records/collector.ts';
import type { Resource } from '../../collectors/records/records.ts';
import type { Alert } from '../../exporters/alerts/alert.ts';
import { formatState, parseState, type State } from './state.ts';

const KEPT = 'alerts/';

export interface StatesOptions {
  readonly store: TextStore;
  /** Tells of an alert. Resolves when every exporter has taken charge of it. */
  readonly tell: (resource: Resource, alert: Alert) => Promise<void>;
  /** From the monotonic clock to the time since the epoch, ms. */
  readonly offset: () => number;
}

export class States {
  private readonly options: StatesOptions;
  /** By container id ('' for the host), by rule. */
  private readonly byId = new Map<string, Map<string, State>>();

  constructor(options: StatesOptions) {
    this.options = options;
  }

  /** Of a container ('' for the host), by rule. */
  of(id: string): ReadonlyMap<string, State> | undefined {
    return this.byId.get(id);
  }

  /** Tells how it is now. */
  send(state: State): void {
    const { alert } = state;
    state.isTold = false;
    this.save(state);
    void this.options.tell(state.resource, alert).then(() => {
      // What has happened to it meanwhile has to be told for itself.
      if (
        state.alert.status !== alert.status ||
        this.of(alert.container?.id ?? '')?.get(alert.rule) !== state
      )
        return;
      state.isTold = true;
      this.save(state);
    });
  }

  all(): State[] {
    return [...this.byId.values()].flatMap((states) => [...states.values()]);
  }

  put(state: State): void {
    const { container, rule } = state.alert;
    const id = container?.id ?? '';
    const states = this.byId.get(id) ?? new Map<string, State>();
    this.byId.set(id, states);
    states.set(rule, state);
  }

  save(state: State): void {
    const text = formatState(state, this.options.offset());
    this.options.store.save(KEPT + state.alert.key, text);
  }

  drop({ alert }: State): void {
    const id = alert.container?.id ?? '';
    const states = this.byId.get(id);
    states?.delete(alert.rule);
    if (states?.size === 0) this.byId.delete(id);
    this.options.store.delete(KEPT + alert.key);
  }

  /** What an earlier process left: what it did not get told is told again, with the same uid. */
  restore(): void {
    const { store } = this.options;
    const offset = this.options.offset();
    const kept = [...store.idsUnder(KEPT)].flatMap((key) => {
      const state = parseState(store.load(KEPT + key) ?? '', offset);
      if (state === undefined) store.delete(KEPT + key);
      return state === undefined ? [] : [state];
    });
    for (const state of kept) {
      this.put(state);
      if (!state.isTold) this.send(state);
    }
  }
}

/** How all alerts are, and what was told of them: in memory, and where it survives a restart. */
import type { TextStore } from '../../collectors/records/collector.ts';
import type { Resource } from '../../collectors/records/records.ts';
import type { Alert } from '../../exporters/alerts/alert.ts';
import { type AlertState, formatAlertState, parseAlertState } from './alert-state.ts';

const KEY_PREFIX = 'alerts/';

export interface AlertStateStoreOptions {
  readonly store: TextStore;
  /** Tells of an alert. Resolves when every exporter has taken charge of it. */
  readonly emitAlert: (resource: Resource, alert: Alert) => Promise<void>;
  /** From the monotonic clock to the time since the epoch, ms. */
  readonly epochOffsetMs: () => number;
}

export class AlertStateStore {
  private readonly options: AlertStateStoreOptions;
  /** By container id ('' for the host), by rule. */
  private readonly byId = new Map<string, Map<string, AlertState>>();

  constructor(options: AlertStateStoreOptions) {
    this.options = options;
  }

  /** Of a container ('' for the host), by rule. */
  statesOf(id: string): ReadonlyMap<string, AlertState> | undefined {
    return this.byId.get(id);
  }

  /** Tells how it is now. */
  emit(state: AlertState): void {
    const { alert } = state;
    state.isDelivered = false;
    this.save(state);
    void this.options.emitAlert(state.resource, alert).then(() => {
      // What has happened to it meanwhile has to be told for itself.
      if (
        state.alert.status !== alert.status ||
        this.statesOf(alert.container?.id ?? '')?.get(alert.rule) !== state
      )
        return;
      state.isDelivered = true;
      this.save(state);
    });
  }

  all(): AlertState[] {
    return [...this.byId.values()].flatMap((states) => [...states.values()]);
  }

  add(state: AlertState): void {
    const { container, rule } = state.alert;
    const id = container?.id ?? '';
    const states = this.byId.get(id) ?? new Map<string, AlertState>();
    this.byId.set(id, states);
    states.set(rule, state);
  }

  save(state: AlertState): void {
    const text = formatAlertState(state, this.options.epochOffsetMs());
    this.options.store.save(KEY_PREFIX + state.alert.key, text);
  }

  delete({ alert }: AlertState): void {
    const id = alert.container?.id ?? '';
    const states = this.byId.get(id);
    states?.delete(alert.rule);
    if (states?.size === 0) this.byId.delete(id);
    this.options.store.delete(KEY_PREFIX + alert.key);
  }

  /** What an earlier process left: what it did not get told is told again, with the same uid. */
  restore(): void {
    const { store } = this.options;
    const offset = this.options.epochOffsetMs();
    const kept = [...store.idsUnder(KEY_PREFIX)].flatMap((key) => {
      const state = parseAlertState(store.load(KEY_PREFIX + key) ?? '', offset);
      if (state === undefined) store.delete(KEY_PREFIX + key);
      return state === undefined ? [] : [state];
    });
    for (const state of kept) {
      this.add(state);
      if (!state.isDelivered) this.emit(state);
    }
  }
}

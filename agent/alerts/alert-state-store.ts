/** The states of all alerts: in memory, and in the position store, where they survive a restart. */
import type { TextStore } from '../../collectors/records/collector.ts';
import type { Resource } from '../../collectors/records/records.ts';
import type { Alert } from '../../exporters/alerts/alert.ts';
import { type AlertState, formatAlertState, parseAlertState } from './alert-state.ts';

const KEY_PREFIX = 'alerts/';

export interface AlertStateStoreOptions {
  readonly store: TextStore;
  /** Resolves when every exporter has accepted the alert. */
  readonly emitAlert: (resource: Resource, alert: Alert) => Promise<void>;
  /** From the monotonic clock to the time since the epoch, ms. */
  readonly epochOffsetMs: () => number;
}

/** Id of the container that an alert is about; '' for the host. */
const containerIdOf = ({ container }: Alert): string => container?.id ?? '';

export class AlertStateStore {
  private readonly options: AlertStateStoreOptions;
  /** By container id ('' for the host), by rule. */
  private readonly byContainer = new Map<string, Map<string, AlertState>>();

  constructor(options: AlertStateStoreOptions) {
    this.options = options;
  }

  /** The states of a container ('' for the host), by rule. */
  statesOf(containerId: string): ReadonlyMap<string, AlertState> | undefined {
    return this.byContainer.get(containerId);
  }

  all(): AlertState[] {
    return [...this.byContainer.values()].flatMap((states) => [...states.values()]);
  }

  add(state: AlertState): void {
    const id = containerIdOf(state.alert);
    const states = this.byContainer.get(id) ?? new Map<string, AlertState>();
    this.byContainer.set(id, states);
    states.set(state.alert.rule, state);
  }

  /**
   * Stores the state with its alert, emits the alert, and marks it delivered once every exporter has accepted
   * it.
   */
  emit(state: AlertState, alert: Alert): void {
    state.alert = alert;
    this.save(state);
    void this.options.emitAlert(state.resource, alert).then(() => {
      const current = this.statesOf(containerIdOf(alert))?.get(alert.rule);
      // A later change of the alert is emitted, and acknowledged, on its own.
      if (current !== state || state.alert.status !== alert.status) return;
      state.lifecycle = { ...state.lifecycle, isDelivered: true };
      this.save(state);
    });
  }

  save(state: AlertState): void {
    const text = formatAlertState(state, this.options.epochOffsetMs());
    this.options.store.save(KEY_PREFIX + state.alert.key, text);
  }

  delete({ alert }: AlertState): void {
    const id = containerIdOf(alert);
    const states = this.byContainer.get(id);
    states?.delete(alert.rule);
    if (states?.size === 0) this.byContainer.delete(id);
    this.options.store.delete(KEY_PREFIX + alert.key);
  }

  /** Reads the states of an earlier process. Undelivered alerts are emitted again, with the same uid. */
  restore(): void {
    const { store } = this.options;
    const offset = this.options.epochOffsetMs();
    const restored = [...store.idsUnder(KEY_PREFIX)].flatMap((key) => {
      const state = parseAlertState(store.load(KEY_PREFIX + key) ?? '', offset);
      if (state === undefined) store.delete(KEY_PREFIX + key);
      return state === undefined ? [] : [state];
    });
    for (const state of restored) {
      this.add(state);
      if (!state.lifecycle.isDelivered) this.emit(state, state.alert);
    }
  }
}

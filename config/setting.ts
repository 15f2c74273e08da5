/** A value as a user gave it, and where. */
export interface ResolvedSetting {
  readonly value: unknown;
  /** `portlight.yaml`, `PORTLIGHT_INTERVAL`, `--interval`, `default`. */
  readonly origin: string;
  /** The line of the file at which something inside the value is. @param keys below the option's */
  readonly findLine?: (keys: readonly (string | number)[]) => number | undefined;
}

/** By option path. */
export type Settings = Map<string, ResolvedSetting>;
export type SettingValues = ReadonlyMap<string, Pick<ResolvedSetting, 'value'>>;

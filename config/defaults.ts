/** Defaults that depend on the environment, or on other options. */
import { join } from 'node:path';
import { homeDirectory } from '../collectors/engine/home-directory.ts';
import type { Environment } from '../collectors/shared/environment.ts';
import type { SettingValues } from './setting.ts';

/** `otlp` where an OTLP endpoint is configured. */
export function defaultExporters(_env: Environment, settings: SettingValues): string[] {
  const hasReceiver = [...settings.keys()].some((path) => /^(otlp\..*endpoint|destinations)$/.test(path));
  return [hasReceiver ? 'otlp' : 'console'];
}

export function defaultDataDirectory(env: Environment): string {
  // systemd.exec(5): the directory that StateDirectory= created.
  if (env.STATE_DIRECTORY) return env.STATE_DIRECTORY;
  if (process.getuid?.() === 0) return '/var/lib/portlight';
  return join(env.XDG_STATE_HOME || join(homeDirectory(env), '.local/state'), 'portlight');
}

/** A terminal is not flooded with old lines; a receiver gets all of them. */
export const defaultFirstSight = (_env: Environment, settings: SettingValues): string =>
  String(settings.get('exporter')?.value) === 'console' ? 'now' : 'start';

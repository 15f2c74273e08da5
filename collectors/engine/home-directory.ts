import { homedir } from 'node:os';

/** The user's home; / where there is none, as for a user that nobody has written down. */
export function homeDirectory(env: Readonly<Record<string, string | undefined>>): string {
  if (env.HOME) return env.HOME;
  try {
    return homedir();
  } catch {
    return '/';
  }
}

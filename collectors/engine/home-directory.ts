import { homedir } from 'node:os';

/** The user's home directory; / where the user has none, or is not in the user database. */
export function homeDirectory(env: Readonly<Record<string, string | undefined>>): string {
  if (env.HOME) return env.HOME;
  try {
    return homedir();
  } catch {
    return '/';
  }
}

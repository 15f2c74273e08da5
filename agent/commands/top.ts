export async function top(_options: unknown, _command: unknown): Promise<void> {}

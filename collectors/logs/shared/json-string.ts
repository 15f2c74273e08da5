/** JSON's strings on bytes. */
export const QUOTE = 0x22;
export const BACKSLASH = 0x5c;

/** What a string's plain bytes end with: its quote, an escape, or what must not be in it. */
export const STOPS = new Uint8Array(256).fill(1, 0, 0x20);
STOPS[QUOTE] = 1;
STOPS[BACKSLASH] = 1;

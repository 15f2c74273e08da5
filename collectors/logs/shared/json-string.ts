/** JSON strings as bytes. */
export const QUOTE = 0x22;
export const BACKSLASH = 0x5c;

/** Bytes at which the plain part of a string stops: the closing quote, an escape, a control character. */
export const STOPS = new Uint8Array(256).fill(1, 0, 0x20);
STOPS[QUOTE] = 1;
STOPS[BACKSLASH] = 1;

export const CARRIAGE_RETURN = 0x0d;
export const NEWLINE = 0x0a;
export const SPACE = 0x20;

/** Redaction: replaces what must not leave the host, before anything is stored. */
import { compilePattern } from '../../config/pattern.ts';
import { parseRedaction, type RedactionName } from '../../config/redaction.ts';

const REPLACEMENT = '[redacted]';

type Redaction = (text: string) => string;

/** Prefixes and lengths of card numbers: Visa, Mastercard, Discover, JCB, American Express, Diners. */
const CARDS = [
  { prefix: /^(?:4|5[1-5]|2[2-7]|6011|65|35)/, length: 16 },
  { prefix: /^3[47]/, length: 15 },
  { prefix: /^3(?:0|6|8)/, length: 14 },
];

/** Whether the check digit is valid (ISO/IEC 7812-1, Luhn). */
function isChecked(digits: string): boolean {
  let sum = 0;
  for (let index = 0; index < digits.length; index++) {
    const digit = Number(digits[digits.length - 1 - index]);
    const doubled = digit * 2;
    sum += index % 2 === 0 ? digit : doubled > 9 ? doubled - 9 : doubled;
  }
  return sum % 10 === 0;
}

/** Whether a run of digits contains a card number; an expiry date or the like can follow it. */
function hasCard(text: string): boolean {
  const digits = text.replaceAll(/\D/g, '');
  for (let start = 0; start < digits.length; start++) {
    for (const { prefix, length } of CARDS) {
      const number = digits.slice(start, start + length);
      if (number.length === length && prefix.test(number) && isChecked(number)) return true;
    }
  }
  return false;
}

// Every repetition is bounded: a line is up to a mebibyte, and untrusted.
const BEARER = /\b(bearer|basic|token)[ =:]{1,8}[A-Za-z0-9._~+/=-]{8,4096}/gi;
const URL_PASSWORD = /\b([a-z][a-z0-9+.-]{0,20}:(?:\\?\/){2}[^\s:/@]{0,256}):[^\s@/]{1,256}@/gi;
/** The quotes of a value stay, escaped or not, so that JSON stays JSON. A value that is cut off has one quote. */
const PASSWORD =
  /((?:password|passwd|pwd|secret|api[_-]?key|access[_-]?token)(?:\\{0,3}["'])?\s{0,8}[=:]\s{0,8})(?:(\\{1,3}")[^"\\]{0,1024}|(")(?:[^"\\]|\\.){0,1024}|(')[^']{0,1024}|[^\s,;&"'}\]]{1,1024})/gi;
const EMAIL = /\b[\w.%+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}\b/g;
const CARD = /\b\d(?:[ -]?\d){12,30}/g;

/** JSON has no bare text: the replacement of a value behind a quoted name is quoted. */
const QUOTED_NAME = /"\s*:\s*$/;

const withoutPasswords = (text: string): string =>
  text.replace(PASSWORD, (_, before: string, escaped = '', double = '', single = '') => {
    const opening = escaped || double || single;
    const quote = opening === '' && QUOTED_NAME.test(before) ? '"' : '';
    return `${before}${opening}${quote}${REPLACEMENT}${quote}`;
  });

const presets = {
  bearer: (text) => text.replace(BEARER, `$1 ${REPLACEMENT}`),
  url_password: (text) => (text.includes(':') ? text.replace(URL_PASSWORD, `$1:${REPLACEMENT}@`) : text),
  password: withoutPasswords,
  email: (text) => (text.includes('@') ? text.replace(EMAIL, REPLACEMENT) : text),
  card: (text) => text.replace(CARD, (digits) => (hasCard(digits) ? REPLACEMENT : digits)),
} satisfies Record<RedactionName, Redaction>;

/** Compiles rules into one function; undefined without rules. */
export function compileRedaction(rules: readonly string[]): Redaction | undefined {
  if (rules.length === 0) return undefined;
  const each = rules.map((rule): Redaction => {
    const parsed = parseRedaction(rule);
    if (parsed === undefined) throw new Error(`not a redaction rule: ${rule}`);
    if ('preset' in parsed) return presets[parsed.preset];
    const matcher = compilePattern(parsed.source);
    return (text) => matcher.replace(text, parsed.replacement);
  });
  return (text) => each.reduce((done, rule) => rule(done), text);
}

/** Secrets in command lines, by their names. The first group is kept. */
const SECRETS = [
  // --password x, -token=x
  /(\s--?[\w-]{0,64}(?:pass|secret|token|key|credential)[\w-]{0,64}[ =])\S{1,4096}/gi,
  // AWS_SECRET_ACCESS_KEY=x, DB_PASS=x
  /(\b\w{0,64}(?:pass|secret|token|key|pwd|credential)\w{0,64}=)\S{1,4096}/gi,
  // curl -u name:x
  /(\s(?:-u|--user)[ =]?[^\s:]{1,256}:)\S{1,4096}/g,
  // mysql -px, redis-cli -a x, docker login -p x, sshpass -p x
  /(\b(?:mysql|mariadb)[\w-]{0,16}\s(?:.{0,1024}?\s)?-p)\S{1,4096}/g,
  /(\b(?:redis-cli|valkey-cli)\s(?:.{0,1024}?\s)?-a[ =]?)\S{1,4096}/g,
  /(\b(?:login|sshpass)\s(?:.{0,1024}?\s)?-p[ =]?)\S{1,4096}/g,
];

/**
 * Compiles a function that redacts the secrets of a command line, as far as their names show.
 * @param rules further redaction rules
 */
export function compileCommandRedaction(rules: readonly string[]): Redaction {
  const redact = compileRedaction(['bearer', 'url_password', 'password', ...rules])!;
  return (text) =>
    SECRETS.reduce((done, secret) => done.replaceAll(secret, `$1${REPLACEMENT}`), redact(text));
}

/** Redacts all text in a JSON value. */
export function redactValues(value: unknown, redact: Redaction): unknown {
  if (typeof value === 'string') return redact(value);
  if (Array.isArray(value)) return value.map((item) => redactValues(item, redact));
  if (value === null || typeof value !== 'object') return value;
  const redacted: Record<string, unknown> = Object.create(null);
  for (const [key, item] of Object.entries(value)) redacted[key] = redactValues(item, redact);
  return redacted;
}

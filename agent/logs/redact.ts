/** What must not leave the host: replaced before anything is stored. */
import { compilePattern } from '../../config/pattern.ts';
import { parseRedaction, type RedactionName } from '../../config/redaction.ts';

const REPLACEMENT = '[redacted]';

type Redaction = (text: string) => string;

/** How card numbers begin, and how many digits they have: Visa, Mastercard, Discover, JCB, American Express, Diners. */
const CARDS = [
  { begins: /^(?:4|5[1-5]|2[2-7]|6011|65|35)/, length: 16 },
  { begins: /^3[47]/, length: 15 },
  { begins: /^3(?:0|6|8)/, length: 14 },
];

/** Whether the check digit is right (ISO/IEC 7812-1, Luhn). */
function isChecked(digits: string): boolean {
  let sum = 0;
  for (let index = 0; index < digits.length; index++) {
    const digit = Number(digits[digits.length - 1 - index]);
    const doubled = digit * 2;
    sum += index % 2 === 0 ? digit : doubled > 9 ? doubled - 9 : doubled;
  }
  return sum % 10 === 0;
}

/** Whether a run of digits has a card's number in it; an expiry date or the like can stand behind. */
function hasCard(text: string): boolean {
  const digits = text.replaceAll(/\D/g, '');
  for (let start = 0; start < digits.length; start++) {
    for (const { begins, length } of CARDS) {
      const number = digits.slice(start, start + length);
      if (number.length === length && begins.test(number) && isChecked(number)) return true;
    }
  }
  return false;
}

// Every repetition has a bound: a line is up to a mebibyte, and anybody may write it.
const BEARER = /\b(bearer|basic|token)[ =:]{1,8}[A-Za-z0-9._~+/=-]{8,4096}/gi;
const URL_PASSWORD = /\b([a-z][a-z0-9+.-]{0,20}:(?:\\?\/){2}[^\s:/@]{0,256}):[^\s@/]{1,256}@/gi;
/** A value's quotes stay, escaped or not, so that JSON stays JSON; one that is cut off has no second one. */
const PASSWORD =
  /((?:password|passwd|pwd|secret|api[_-]?key|access[_-]?token)(?:\\{0,3}["'])?\s{0,8}[=:]\s{0,8})(?:(\\{1,3}")[^"\\]{0,1024}|(")(?:[^"\\]|\\.){0,1024}|(')[^']{0,1024}|[^\s,;&"'}\]]{1,1024})/gi;
const EMAIL = /\b[\w.%+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}\b/g;
const CARD = /\b\d(?:[ -]?\d){12,30}/g;

/** JSON has no bare text: what stands behind a quoted name is quoted. */
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

/** One function that applies all the rules; undefined where there is none. */
export function compileRedaction(rules: readonly string[]): Redaction | undefined {
  if (rules.length === 0) return undefined;
  const each = rules.map((rule): Redaction => {
    const parsed = parseRedaction(rule);
    if (parsed === undefined) throw new Error(`not a redaction rule: ${rule}`);
    if ('preset' in parsed) return presets[parsed.preset];
    const matcher = compilePattern(parsed.source);
    return (given) => matcher.replace(given, parsed.replacement);
  });
  return (text) => each.reduce((done, rule) => rule(done), text);
}

/** How command lines name what is secret; of each, all but what stands behind is kept. */
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
 * A command line without its secrets, as far as their names tell.
 * @param rules what else is to be redacted
 */
export function compileCommandRedaction(rules: readonly string[]): Redaction {
  const redact = compileRedaction(['bearer', 'url_password', 'password', ...rules])!;
  return (text) =>
    SECRETS.reduce((done, secret) => done.replaceAll(secret, `$1${REPLACEMENT}`), redact(text));
}

/** A value that JSON can hold, with all text in it redacted. */
export function redactValues(value: unknown, redact: Redaction): unknown {
  if (typeof value === 'string') return redact(value);
  if (Array.isArray(value)) return value.map((item) => redactValues(item, redact));
  if (value === null || typeof value !== 'object') return value;
  const redacted: Record<string, unknown> = Object.create(null);
  for (const [key, item] of Object.entries(value)) redacted[key] = redactValues(item, redact);
  return redacted;
}

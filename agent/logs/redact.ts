/** What must not leave the host: replaced before anything is stored. */
import { isPattern, pattern } from './pattern.ts';

const REPLACEMENT = '[redacted]';

type Rule = (text: string) => string;

/** Whether the digits are a card number's by their check digit (ISO/IEC 7812-1, Luhn). */
function isCard(text: string): boolean {
  const digits = text.replaceAll(/\D/g, '');
  let sum = 0;
  for (let index = 0; index < digits.length; index++) {
    const digit = Number(digits[digits.length - 1 - index]);
    const doubled = digit * 2;
    sum += index % 2 === 0 ? digit : doubled > 9 ? doubled - 9 : doubled;
  }
  return digits.length >= 13 && digits.length <= 19 && sum % 10 === 0;
}

const BEARER = /\b(bearer|basic|token)[ =:]+[A-Za-z0-9._~+/=-]{8,}/gi;
const URL_PASSWORD = /\b([a-z][a-z0-9+.-]*:\/\/[^\s:/@]*):[^\s@/]+@/gi;
/** The value keeps its quotes, so that JSON stays JSON. */
const PASSWORD =
  /\b((?:password|passwd|pwd|secret|api[_-]?key|access[_-]?token)["']?\s*[=:]\s*)(?:(")(?:[^"\\]|\\.)*"|(')[^']*'|[^\s,;&"']+)/gi;
const EMAIL = /\b[\w.%+-]+@[\w-]+(?:\.[\w-]+)+\b/g;
const CARD = /\b\d(?:[ -]?\d){12,18}\b/g;

export const presets = {
  bearer: (text) => text.replace(BEARER, `$1 ${REPLACEMENT}`),
  url_password: (text) => text.replace(URL_PASSWORD, `$1:${REPLACEMENT}@`),
  password: (text) =>
    text.replace(
      PASSWORD,
      (_, before: string, double = '', single = '') =>
        `${before}${double}${single}${REPLACEMENT}${double}${single}`,
    ),
  email: (text) => text.replace(EMAIL, REPLACEMENT),
  card: (text) => text.replace(CARD, (digits) => (isCard(digits) ? REPLACEMENT : digits)),
} satisfies Record<string, Rule>;

const hasPreset = (name: string): name is keyof typeof presets => Object.hasOwn(presets, name);

/** `/pattern/replacement/`, both without unescaped slashes. */
const CUSTOM = /^\/((?:[^/\\]|\\.)+)\/((?:[^/\\]|\\.)*)\/$/;

/** Whether a rule is a preset's name or `/pattern/replacement/`. */
export function isRedaction(rule: string): boolean {
  return hasPreset(rule) || isPattern(CUSTOM.exec(rule)?.[1] ?? '(');
}

/** One function that applies all the rules; undefined where there is none. */
export function redaction(rules: readonly string[]): Rule | undefined {
  if (rules.length === 0) return undefined;
  const each = rules.map((rule): Rule => {
    if (hasPreset(rule)) return presets[rule];
    const [, source = '', replacement = ''] = CUSTOM.exec(rule) ?? [];
    const matcher = pattern(source, 'g');
    const text = replacement.replaceAll('\\/', '/');
    return (given) => given.replace(matcher, text);
  });
  return (text) => each.reduce((done, rule) => rule(done), text);
}

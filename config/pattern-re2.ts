/**
 * Patterns on re2js, for a Node whose V8 has no linear engine: slower, with the same meaning. Patterns are written in
 * JavaScript's syntax and translated into RE2's.
 * A character outside the basic multilingual plane is one character here, and two halves in V8. RE2 repeats up to 1000
 * times.
 * Source: https://github.com/google/re2/wiki/Syntax
 */
import { RE2JS } from 're2js';
import type { LinearPattern } from './linear-pattern.ts';

/** ECMAScript's `\s`; RE2's own has ASCII only. It is the last of them, so that a `-` behind it is not a range. */
const SPACE =
  '\\v\\x{A0}\\x{1680}\\x{2000}-\\x{200A}\\x{2028}\\x{2029}\\x{202F}\\x{205F}\\x{3000}\\x{FEFF}\\s';
const NOT_SPACE =
  '\\x{0}-\\x{8}\\x{E}-\\x{1F}\\x{21}-\\x{9F}\\x{A1}-\\x{167F}\\x{1681}-\\x{1FFF}\\x{200B}-\\x{2027}' +
  '\\x{202A}-\\x{202E}\\x{2030}-\\x{205E}\\x{2060}-\\x{2FFF}\\x{3001}-\\x{FEFE}\\x{FF00}-\\x{10FFFF}';
const ANY = '\\x{0}-\\x{10FFFF}';

const TOKEN =
  /\\(?:x[\da-f]{2}|u[\da-f]{4}|c[a-z]|.)|\[\^?\]|\[\^?|\(\?(?::|<(?![=!]))?|\{\d+(?:,\d*)?\}|./gis;
const NAMED_GROUP = /\(\?<(?![=!])/;

/** Outside of a class; what is not in it stays as it is. */
const TRANSLATIONS: Readonly<Record<string, string>> = {
  '.': '[^\\n\\r\\x{2028}\\x{2029}]',
  '^': '\\A',
  $: '\\z',
  '[]': `[^${ANY}]`,
  '[^]': `[${ANY}]`,
  '{': '\\{',
  '(?<': '(?P<',
};

function translateEscape(token: string, isInClass: boolean, hasNames: boolean): string {
  const letter = token[1]!;
  if (token.length > 2)
    return letter === 'c' ? `\\x{${(token.charCodeAt(2) & 31).toString(16)}}` : `\\x{${token.slice(2)}}`;
  if (/[dDwWtnvfr]/.test(letter)) return token;
  if (letter === 's') return isInClass ? SPACE : `[${SPACE}]`;
  if (letter === 'S') return isInClass ? NOT_SPACE : `[${NOT_SPACE}]`;
  if (letter === 'b') return isInClass ? '\\x08' : token;
  if (letter === 'B') return isInClass ? letter : token;
  if (letter === '0') return '\\x{0}';
  if (letter === 'c') return '\\\\c';
  if (/[1-9]/.test(letter) || (letter === 'k' && hasNames)) throw new SyntaxError('back-reference');
  // Any other letter means itself in JavaScript, and may mean something else in RE2.
  return /[\w\u0080-\uffff]/.test(letter) ? letter : token;
}

function toRe2(source: string): string {
  const hasNames = NAMED_GROUP.test(source);
  let isInClass = false;
  return source.replaceAll(TOKEN, (token) => {
    if (token[0] === '\\') return translateEscape(token, isInClass, hasNames);
    if (isInClass) {
      if (token.endsWith(']')) isInClass = false;
      return token[0] === '[' ? token.replace('[', '\\[') : token;
    }
    if (token === '(?') throw new SyntaxError('look-around');
    isInClass = token === '[' || token === '[^';
    return TRANSLATIONS[token] ?? token;
  });
}

/** @throws {SyntaxError} as `compilePattern` */
export function compileRe2(source: string): LinearPattern {
  // What is no pattern in JavaScript is none here.
  new RegExp(source);
  let compiled: RE2JS;
  try {
    compiled = RE2JS.compile(toRe2(source));
  } catch (error) {
    throw new SyntaxError(
      `Invalid regular expression: /${source}/: ${(error as Error).message} is not supported`,
    );
  }
  return {
    test: (text) => compiled.test(text),
    replace: (text, by) => compiled.matcher(text).replaceAll(by),
  };
}

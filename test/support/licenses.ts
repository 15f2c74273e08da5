/** Licences of dependencies, as SPDX names them, that ask for no more than that their text is passed on. */
export const PERMISSIVE: readonly string[] = [
  '0BSD',
  'Apache-2.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'ISC',
  'MIT',
  'Unlicense',
];

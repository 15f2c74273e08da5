/** Hides secrets in values that are shown: headers, and the parts of URLs that can hold one. */

export const MASK = '********';

/**
 * Masks headers, user and password of URLs, and their query. Of `url` (a webhook's) only the host is shown.
 */
export const maskSecrets = (value: unknown): unknown =>
  JSON.parse(
    JSON.stringify(value, (key, inner) => {
      if (key === 'headers') return MASK;
      // The path of a chat's webhook is its secret.
      if (key === 'url' && URL.canParse(inner)) return `${new URL(inner).origin}/${MASK}`;
      if (typeof inner !== 'string') return inner;
      const withoutUser = inner.replace(/\/\/[^/@\s]*@/g, `//${MASK}@`);
      return withoutUser.replace(/^(https?:\/\/[^?\s]*\?)\S+/, `$1${MASK}`);
    }) ?? 'null',
  );

/** JSON, with secrets masked. */
export const formatMasked = (value: unknown): string => JSON.stringify(maskSecrets(value));

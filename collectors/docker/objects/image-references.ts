import { familiarName } from '../../lifecycle/identity.ts';

/** The daemon's reference of an image without one. */
const NONE = '<none>:<none>';
const NONE_DIGEST = '<none>@';

/** The references without the daemon's placeholders for "none". */
export const usableReferences = (references: readonly string[] | null | undefined): string[] =>
  (references ?? []).filter((reference) => reference !== NONE && !reference.startsWith(NONE_DIGEST));

/**
 * The reference that a container was made from, in the form in which the daemon lists it; undefined for a
 * bare id.
 */
export function listedReference(image: string): string | undefined {
  if (image === '' || image.startsWith('sha256:') || image.includes('@')) return undefined;
  const name = familiarName(image);
  return name.includes(':', name.lastIndexOf('/') + 1) ? name : `${name}:latest`;
}

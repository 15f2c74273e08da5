/** Images. */

export interface ImageEntry {
  readonly id: string;
  readonly references: readonly string[];
  readonly createdAt: number | null;
  readonly size: number | null;
  /** Containers of the image, running or not. */
  readonly containers: readonly { readonly id: string; readonly name: string }[];
}

export interface Images {
  readonly images: readonly ImageEntry[];
}

export interface ImageLayer {
  readonly createdAt: number | null;
  /** The instruction that created the layer, without values of variables. */
  readonly instruction: string;
  readonly size: number;
}

export interface ImageDetails {
  readonly id: string;
  readonly references: readonly string[];
  readonly digests: readonly string[];
  readonly createdAt: number | null;
  readonly size: number;
  readonly os: string;
  readonly architecture: string;
  /** Newest first. */
  readonly layers: readonly ImageLayer[];
}

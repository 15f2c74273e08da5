/** An image with its layers. Source: GET /images/{id}/json and /images/{id}/history of the Engine API. */
import type Docker from 'dockerode';
import type { ImageInspectInfo } from 'dockerode';
import { isNotFound } from '../engine/client.ts';

export interface Layer {
  /** s since the epoch. */
  readonly created: number;
  /** The build instruction, without the values of variables: those can be secrets. */
  readonly instruction: string;
  /** Bytes. */
  readonly size: number;
}

export interface LayeredImage {
  readonly inspect: ImageInspectInfo;
  /** The newest first. */
  readonly layers: readonly Layer[];
}

interface HistoryItem {
  readonly Created: number;
  readonly CreatedBy: string;
  readonly Size: number;
}

/** `|2 USER=me KEY=secret /bin/sh -c …`: the number and values of a RUN's build arguments. */
const ARGUMENTS = /^(RUN )?\|(\d+) /;
/** Values can contain spaces: they end at the shell. */
const SHELL = /\s(\/\S+ -c .*)$/s;
const VARIABLES = /^((?:\/bin\/sh -c #\(nop\)\s+)?(?:ENV|ARG)\s+)(.*)$/s;

/** A layer's instruction without the values of ENV, ARG and build arguments. */
export function withoutValues(createdBy: string): string {
  const variables = VARIABLES.exec(createdBy);
  if (variables !== null) {
    const [, instruction = '', rest = ''] = variables;
    const names = [...rest.matchAll(/(?:^|\s)([A-Za-z_]\w*)(?==)/g)].map(([, name]) => name);
    const [first = ''] = rest.split(/[\s=]/);
    return `${instruction.replace('/bin/sh -c #(nop)', '').trim()} ${names.length > 0 ? names.join(' ') : first}`;
  }
  if (ARGUMENTS.test(createdBy)) return `RUN ${SHELL.exec(createdBy)?.[1] ?? ''}`.trim();
  return createdBy.replace('/bin/sh -c #(nop)', '').trim();
}

/** Returns undefined if the image no longer exists. */
export async function layeredImage(docker: Docker, id: string): Promise<LayeredImage | undefined> {
  try {
    const image = docker.getImage(id);
    const [inspect, history] = await Promise.all([image.inspect(), image.history()]);
    const layers = (history as HistoryItem[]).map(({ Created, CreatedBy, Size }) => ({
      created: Created,
      instruction: withoutValues(CreatedBy ?? ''),
      size: Size,
    }));
    return { inspect, layers };
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

/** An image with its layers, as the daemon tells it: GET /images/{id}/json and /images/{id}/history. */
import type Docker from 'dockerode';
import type { ImageInspectInfo } from 'dockerode';
import { isNotFound } from '../engine/client.ts';

export interface Layer {
  /** s since the epoch. */
  readonly created: number;
  /** As it was built, but for the values of variables: secrets are passed in those. */
  readonly instruction: string;
  /** Bytes. */
  readonly size: number;
}

export interface LayeredImage {
  readonly inspect: ImageInspectInfo;
  /** The last one on top. */
  readonly layers: readonly Layer[];
}

interface HistoryItem {
  readonly Created: number;
  readonly CreatedBy: string;
  readonly Size: number;
}

/** `|2 USER=me KEY=secret /bin/sh -c …`: build arguments of a RUN, by their number. */
const ARGUMENTS = /^(RUN )?\|(\d+) /;
/** Their values can hold blanks: up to the shell that they are given to. */
const SHELL = /\s(\/\S+ -c .*)$/s;
const VARIABLES = /^((?:\/bin\/sh -c #\(nop\)\s+)?(?:ENV|ARG)\s+)(.*)$/s;

/** What a layer was made by, without the values of ENV, ARG and build arguments. */
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

/** Undefined where there is no such image any more. */
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

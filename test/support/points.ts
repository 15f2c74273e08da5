/** Points as a collector gives them, all of them each time. */
import type { Point, PointSink } from '../../collectors/records/records.ts';

export const takenPoints = (): Point[] & PointSink =>
  Object.assign([] as Point[], { repeatPrevious: () => false });

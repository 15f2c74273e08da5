/** A sink that keeps a collector's points and never repeats any. */
import type { Point, PointSink } from '../../collectors/records/records.ts';

export const collectedPoints = (): Point[] & PointSink =>
  Object.assign([] as Point[], { repeatPrevious: () => false });

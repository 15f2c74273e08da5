/**
 * An answer of GET /system/df as points.
 * Source: https://docs.docker.com/reference/api/engine/, SystemDataUsage.
 */
import { catalogue } from '../../catalogue/index.ts';
import type { Attributes, Metric, Point } from '../../records/records.ts';

/** The part of the answer that the agent reads. */
export interface DiskUsage {
  readonly LayersSize?: number;
  readonly Images?: readonly { readonly RepoTags: readonly string[] | null }[] | null;
  readonly Containers?:
    | readonly { readonly Id: string; readonly SizeRw?: number; readonly SizeRootFs?: number }[]
    | null;
  readonly Volumes?:
    | readonly {
        readonly Name: string;
        readonly UsageData?: { readonly Size: number; readonly RefCount: number };
      }[]
    | null;
  readonly BuildCache?: readonly { readonly Size: number }[] | null;
}

/** Points of the daemon's images, volumes and build cache. */
export function daemonPoints(usage: DiskUsage): Point[] {
  const points: Point[] = [];
  // The daemon answers -1 for what it did not measure.
  const add = (metric: Metric, value: number | undefined, attributes?: Attributes) => {
    if (value !== undefined && value >= 0) points.push({ metric, value, attributes });
  };
  const images = usage.Images ?? [];
  const dangling = images.filter(
    ({ RepoTags }) => !RepoTags?.length || RepoTags[0] === '<none>:<none>',
  ).length;
  add(catalogue.daemonImages, images.length - dangling, { 'docker.image.dangling': false });
  add(catalogue.daemonImages, dangling, { 'docker.image.dangling': true });
  add(catalogue.daemonImageSize, usage.LayersSize);
  const volumes = usage.Volumes ?? [];
  const unused = volumes.filter(({ UsageData }) => UsageData?.RefCount === 0).length;
  add(catalogue.daemonVolumes, volumes.length - unused, { 'docker.volume.used': true });
  add(catalogue.daemonVolumes, unused, { 'docker.volume.used': false });
  for (const { Name, UsageData } of volumes)
    add(catalogue.daemonVolumeSize, UsageData?.Size, { 'docker.volume.name': Name });
  add(
    catalogue.daemonBuildCache,
    (usage.BuildCache ?? []).reduce((sum, { Size }) => sum + Size, 0),
  );
  return points;
}

/** Points of each container's file system, by container id. */
export function containerPoints({ Containers }: DiskUsage): Map<string, Point[]> {
  return new Map(
    (Containers ?? []).map(({ Id, SizeRw = 0, SizeRootFs }) => {
      // The daemon leaves out a size of 0.
      const points: Point[] = [{ metric: catalogue.filesystemUsage, value: SizeRw }];
      if (SizeRootFs !== undefined) points.push({ metric: catalogue.filesystemRoot, value: SizeRootFs });
      return [Id, points];
    }),
  );
}

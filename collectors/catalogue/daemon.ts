/** Inventory and disk use of the daemon: GET /info, GET /system/df. */
import { cadvisorName, row } from './entry.ts';

const DF = 'GET /system/df';

export const daemon = {
  daemonContainers: row(
    'daemon',
    'docker.containers',
    'updowncounter',
    '{container}',
    'Containers by status',
    { source: "the agent's inventory" },
  ),
  daemonImages: row(
    'daemon',
    'docker.images',
    'updowncounter',
    '{image}',
    'Images, dangling ones counted separately',
    {
      source: DF,
    },
  ),
  daemonImageSize: row(
    'daemon',
    'docker.images.size',
    'updowncounter',
    'By',
    'Disk use of all image layers; shared layers are counted once',
    { source: `${DF}, LayersSize` },
  ),
  daemonVolumes: row(
    'daemon',
    'docker.volumes',
    'updowncounter',
    '{volume}',
    'Volumes, unused ones counted separately',
    {
      source: DF,
    },
  ),
  daemonVolumeSize: row('daemon', 'docker.volumes.size', 'updowncounter', 'By', 'Disk use of a volume', {
    source: `${DF}, Volumes[].UsageData.Size`,
  }),
  daemonNetworks: row('daemon', 'docker.networks', 'updowncounter', '{network}', 'Networks by driver', {
    source: 'GET /networks',
  }),
  daemonBuildCache: row(
    'daemon',
    'docker.build_cache.size',
    'updowncounter',
    'By',
    'Disk use of the build cache',
    { source: `${DF}, BuildCache[].Size` },
  ),
  daemonApiLatency: row('daemon', 'docker.api.duration', 'gauge', 's', 'Duration of the last GET /info', {
    source: 'the clock',
  }),
  filesystemUsage: row(
    'filesystem',
    'container.filesystem.usage',
    'updowncounter',
    'By',
    "Size of the container's writable layer",
    {
      source: `${DF}, Containers[].SizeRw`,
      cadvisor: [
        cadvisorName('container_fs_usage_bytes', { attributes: () => ({ device: 'writable-layer' }) }),
      ],
    },
  ),
  filesystemRoot: row(
    'filesystem',
    'container.filesystem.rootfs.size',
    'updowncounter',
    'By',
    'Size of the writable layer and the image below it',
    {
      source: `${DF}, Containers[].SizeRootFs`,
    },
  ),
  filesystemCapacity: row(
    'filesystem',
    'container.filesystem.capacity',
    'updowncounter',
    'By',
    "Size of the file system of the daemon's data directory",
    {
      source: 'statfs(2) of DockerRootDir',
      cadvisor: [
        cadvisorName('container_fs_limit_bytes', { attributes: () => ({ device: 'writable-layer' }) }),
      ],
    },
  ),
  filesystemAvailable: row(
    'filesystem',
    'container.filesystem.available',
    'updowncounter',
    'By',
    "Space left on the file system of the daemon's data directory",
    {
      source: 'statfs(2) of DockerRootDir',
    },
  ),
};

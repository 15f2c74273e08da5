/** Three small demo containers for a machine without containers. */
import type Docker from 'dockerode';
import { importBusybox } from './images.ts';

const REPOSITORY = 'portlight-demo';
const MEBIBYTE = 1024 * 1024;

interface Demo {
  readonly name: string;
  readonly script: string;
  readonly memoryLimit?: number;
}

const demos: readonly Demo[] = [
  {
    name: 'demo-web',
    // Serves a page and requests it once a second, so that there is a log and some load.
    script: `mkdir -p /www && echo hello > /www/index.html && httpd -p 8080 -h /www
      while :; do wget -q -O /dev/null http://127.0.0.1:8080/ && echo "GET / 200"; sleep 1; done`,
    memoryLimit: 128 * MEBIBYTE,
  },
  {
    name: 'demo-chatty',
    script: `n=0; while :; do n=$((n+1)); echo "{\\"level\\":\\"info\\",\\"msg\\":\\"order $n shipped\\"}"
      [ $((n % 5)) = 0 ] && echo "warning: stock of item $n is low" >&2; sleep 0.5; done`,
  },
  {
    name: 'demo-memory',
    // The kernel counts files in /dev/shm as the container's memory.
    script: `dd if=/dev/zero of=/dev/shm/held bs=1M count=54 2>/dev/null; echo "holding 54 MiB of 64"
      while :; do dd if=/dev/zero of=/dev/shm/more bs=1M count=4 2>/dev/null; sleep 2; rm /dev/shm/more; sleep 2; done`,
    memoryLimit: 64 * MEBIBYTE,
  },
];

/** Starts the demo containers on a private daemon. */
export async function startDemo(docker: Docker): Promise<void> {
  await importBusybox(docker, REPOSITORY, 'latest');
  for (const { name, script, memoryLimit } of demos) {
    const container = await docker.createContainer({
      name,
      Image: `${REPOSITORY}:latest`,
      Cmd: ['sh', '-c', script],
      HostConfig: { Memory: memoryLimit, Init: false },
    });
    await container.start();
  }
}

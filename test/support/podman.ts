/** Starts a Podman service with its own storage, which ends with the test. */

import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import Docker from 'dockerode';
import { importBusybox } from '../../agent/setup/images.ts';
import { asIdentity, type Identity } from './identity.ts';
import { temporaryDirectory } from './temporary.ts';
import { waitFor } from './wait.ts';

/** Without systemd there is neither a journal for events nor a cgroup manager. runc comes with Docker. */
const CONFIGURATION = `
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
log_driver = "k8s-file"
[engine]
events_logger = "file"
cgroup_manager = "cgroupfs"
runtime = "runc"
`;

/** As with Docker, registries on loopback need no TLS. */
const REGISTRIES = '[[registry]]\nlocation = "127.0.0.1"\ninsecure = true\n';

export const PODMAN_IMAGE = 'localhost/portlight-test:latest';

/** A rootless service continues in a child process, and monitors of ended execs live for minutes. */
function endAllOf(directory: string): void {
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      if (readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(`${directory}/`))
        process.kill(Number(pid), 'SIGKILL');
    } catch {
      // It has ended.
    }
  }
}

/** @param as the user who runs it; the test's own by default */
export async function startPodman(
  t: ExecutionContext,
  as?: Identity,
): Promise<{ host: string; podman: Docker }> {
  const directory = temporaryDirectory(t, as);
  const configuration = join(directory, 'containers.conf');
  writeFileSync(configuration, CONFIGURATION);
  const registries = join(directory, 'registries.conf');
  writeFileSync(registries, REGISTRIES);
  const socket = join(directory, 'podman.sock');
  const places = ['root', 'run', 'tmp'].flatMap((place, index) => [
    ['--root', '--runroot', '--tmpdir'][index]!,
    join(directory, place),
  ]);
  const command = [
    ['env', `CONTAINERS_CONF=${configuration}`, `CONTAINERS_REGISTRIES_CONF=${registries}`],
    as === undefined ? [] : [`HOME=${directory}`, `XDG_RUNTIME_DIR=${directory}`],
    ['podman', ...places, '--storage-driver', 'vfs', 'system', 'service', '--time', '0', `unix://${socket}`],
  ].flat();
  const [program = '', ...args] = as === undefined ? command : asIdentity(as, command);
  const service = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let words = '';
  service.stderr!.setEncoding('utf8').on('data', (text: string) => {
    words += text;
  });
  const podman = new Docker({ socketPath: socket });
  t.teardown(async () => {
    const containers = await podman.listContainers({ all: true }).catch(() => []);
    await Promise.all(
      containers.map(({ Id }) =>
        podman
          .getContainer(Id)
          .remove({ force: true })
          .catch(() => {}),
      ),
    );
    endAllOf(directory);
    service.stderr!.destroy();
    // A rootless service keeps its namespaces alive with an idle process.
    const pause = join(directory, 'tmp/pause.pid');
    if (existsSync(pause)) process.kill(Number(readFileSync(pause, 'utf8')), 'SIGKILL');
    for (const mount of readFileSync('/proc/self/mounts', 'utf8').split('\n').reverse()) {
      const [, place = ''] = mount.split(' ');
      if (place.startsWith(`${directory}/`)) spawnSync('umount', ['--lazy', place]);
    }
  });
  await waitFor(`Podman; so far: ${words}`, () =>
    podman.ping().then(
      () => true,
      () => false,
    ),
  );
  const [repository = '', tag = ''] = PODMAN_IMAGE.split(':');
  await importBusybox(podman, repository, tag);
  return { host: `unix://${socket}`, podman };
}

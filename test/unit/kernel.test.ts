/** The kernel collector at moments that no test on a host can choose: /proc is a directory of the test. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { MemoryStore } from '../../agent/views/watch/memory-store.ts';
import { KernelCollector } from '../../collectors/kernel/index.ts';
import { containerOf, ProcessTable } from '../../collectors/kernel/process-table.ts';
import type { RecordSink } from '../../collectors/records/collector.ts';
import type { EventRecord } from '../../collectors/records/records.ts';
import { KernelFiles } from '../../collectors/shared/kernel-file.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { waitFor } from '../support/wait.ts';

const ID = 'd666dc81c5dbdd2d77231a2320a0c15c5a8e294b533627099e5e948ec2dd284d';

test('a cgroup name shows the container and its runtime', (t) => {
  const containerIn = (path: string) => containerOf(`4:memory:${path}\n0::/\n`);
  const found = (runtime: string | undefined) => ({ id: ID, runtime });
  t.deepEqual(containerIn(`/docker/${ID}`), found('docker'));
  t.deepEqual(containerIn(`/docker/${ID}/init.scope`), found('docker'));
  t.deepEqual(containerIn(`/system.slice/docker-${ID}.scope`), found('docker'));
  t.deepEqual(containerIn(`/../${ID}`), found(undefined), 'in a private cgroup namespace');
  t.deepEqual(containerIn(`/libpod_parent/libpod-${ID}`), found('podman'));
  t.deepEqual(containerIn(`/machine.slice/libpod-${ID}.scope/container`), found('podman'));
  t.deepEqual(containerIn(`/kubepods/besteffort/pod1/${ID}`), found(undefined));
  t.deepEqual(
    containerIn(`/kubepods.slice/kubepods-pod1.slice/cri-containerd-${ID}.scope`),
    found('containerd'),
  );
  t.deepEqual(containerIn(`/system.slice/kubepods-pod1.slice:cri-containerd:${ID}`), found('containerd'));
  t.deepEqual(containerIn(`/kubepods.slice/crio-${ID}.scope`), found('cri-o'));
  t.is(
    containerIn(`/machine.slice/libpod-conmon-${ID}.scope`),
    undefined,
    'conmon is outside of the container',
  );
  t.is(containerIn('/user.slice/user-0.slice/session-1.scope'), undefined);
  const inner = ID.replaceAll('d', 'e');
  t.deepEqual(containerIn(`/docker/${ID}/docker/${inner}`)?.id, inner, 'a nested container has its own id');
});

interface Process {
  /** Hundredths of a second since the host's boot. */
  readonly ticks: number;
  readonly state?: string;
  readonly name?: string;
  readonly cgroup?: string;
}

/** A host that booted 1000 s ago. */
class Proc {
  readonly directory: string;

  constructor(t: ExecutionContext) {
    this.directory = temporaryDirectory(t);
    this.write('uptime', '1000.00 1.00\n');
    this.write('sys/kernel/random/boot_id', 'a-boot\n');
  }

  run(pid: number, { ticks, state = 'S', name = 'app', cgroup = `/docker/${ID}` }: Process): void {
    this.write(`${pid}/cgroup`, `4:memory:${cgroup}\n`);
    this.write(`${pid}/stat`, `${pid} (${name}) ${state} 0 ${'0 '.repeat(17)}${ticks} 0 0\n`);
  }

  end(pid: number): void {
    rmSync(join(this.directory, String(pid)), { recursive: true });
  }

  private write(path: string, text: string): void {
    mkdirSync(join(this.directory, path, '..'), { recursive: true });
    writeFileSync(join(this.directory, path), text);
  }
}

test('the oldest process is the init until it ends; leftover processes are no new run', (t) => {
  const proc = new Proc(t);
  const table = new ProcessTable(proc.directory);
  const init = () => table.scan().get(ID)?.pid;
  proc.run(9, { ticks: 10 });
  proc.run(12, { ticks: 20, name: 'exec) S 1' });
  proc.run(5, { ticks: 5, name: 'runc:[2:INIT]' });
  proc.run(6, { ticks: 99_980 });
  t.is(init(), 9, 'a process that was just created can be the runtime');
  proc.run(3, { ticks: 1, cgroup: '/' });
  t.is(init(), 9);
  proc.run(9, { ticks: 10, state: 'Z' });
  t.is(init(), undefined, 'a zombie has ended');
  t.is(init(), undefined, 'a process of docker exec outlives the init');
  proc.run(20, { ticks: 40 });
  t.is(init(), 20);
  proc.end(20);
  t.is(init(), undefined);
  // The runtime moves a process into its cgroup after its creation.
  proc.run(30, { ticks: 50, cgroup: '/system.slice/docker.service' });
  t.is(init(), undefined);
  proc.run(30, { ticks: 50 });
  t.is(init(), 30);
});

/** Runs a collector while `act` runs; returns the reported actions. */
async function watch(
  proc: Proc,
  store: MemoryStore,
  act: (reported: EventRecord[]) => Promise<unknown>,
  sink: Partial<RecordSink> = {},
) {
  const reported: EventRecord[] = [];
  const nothing = () => {};
  const collector = new KernelCollector({
    procfs: proc.directory,
    files: new KernelFiles(1000, () => {}),
    rootfs: proc.directory,
    surroundings: {},
    isWantedLabel: () => false,
    selects: () => true,
    optionalAttributes: () => ({}),
    sink: {
      emitEvent: async (_, event) => void reported.push(event),
      emitSpan: async () => {},
      openLog: () => undefined,
      reportError: (_, error) => {
        throw error;
      },
      ...sink,
    },
    store,
    evidence: {
      lastMomentsOf: () => ({}),
      oomReported: nothing,
      hasKernelKilled: () => false,
      isHostOutOfMemory: () => false,
    },
    redactCommand: undefined,
    lifecycle: {
      containerStarting: nothing,
      containerStarted: nothing,
      containerChanged: nothing,
      containerStopped: async () => {},
      containerRemoved: nothing,
    },
  });
  await new Promise<void>((resolve) => collector.start(resolve));
  await act(reported);
  await collector.close();
  return reported.map(({ eventName }) => eventName.replace('docker.container.', ''));
}

test('an error while a missed run is reported does not end the process', async (t) => {
  const proc = new Proc(t);
  const errors: string[] = [];
  const emitEvent = () => {
    throw new Error('cannot encode');
  };
  const act = async () => {
    proc.run(9, { ticks: 99_000 });
    await waitFor('the error', () => errors.length > 0);
  };
  await watch(proc, new MemoryStore(), act, {
    emitEvent,
    reportError: (collector, error) => void errors.push(`${collector}: ${error}`),
  });
  t.is(errors[0], 'kernel: Error: cannot encode');
});

test('a run is reported once across agents; the next agent reports an end that none saw', async (t) => {
  const proc = new Proc(t);
  const store = new MemoryStore();
  const isReported = (reported: EventRecord[], event: string) =>
    waitFor(event, () => reported.some(({ eventName }) => eventName === `docker.container.${event}`));
  let started = 0n;
  const first = await watch(proc, store, async (reported) => {
    proc.run(9, { ticks: 10 });
    await isReported(reported, 'start');
    started = reported[0]!.time;
  });
  t.deepEqual(first, ['start']);
  const age = BigInt(Date.now()) * 1_000_000n - started;
  t.true(age > 999_000_000_000n && age < 1_100_000_000_000n, "computed from the host's uptime");
  t.deepEqual(await watch(proc, store, () => sleep(1500)), [], 'the same run');
  proc.run(9, { ticks: 5000 });
  t.deepEqual(
    await watch(proc, store, (reported) => isReported(reported, 'start')),
    ['die', 'start'],
    'another one',
  );
  proc.end(9);
  t.deepEqual(await watch(proc, store, (reported) => isReported(reported, 'die')), ['die']);
});

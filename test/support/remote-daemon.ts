/**
 * Connections to daemons on other hosts, as far as one machine can provide them: TLS with certificates, and
 * ssh.
 */
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { temporaryDirectory } from './temporary.ts';
import { waitFor } from './wait.ts';

/** Certificates for `dockerd --tlsverify`: paths of PEM files. */
export interface DaemonCertificates {
  readonly ca: string;
  readonly server: { readonly certificate: string; readonly key: string };
  readonly client: { readonly certificate: string; readonly key: string };
}

export function daemonCertificates(t: ExecutionContext): DaemonCertificates {
  const directory = temporaryDirectory(t);
  const at = (name: string) => join(directory, name);
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: directory, stdio: 'ignore' });
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  openssl(
    'req',
    '-x509',
    ...newKey,
    '-days',
    '2',
    '-subj',
    '/CN=test CA',
    '-keyout',
    'ca.key',
    '-out',
    'ca.pem',
  );
  const issue = (name: string, usage: string) => {
    writeFileSync(at(`${name}.ext`), `subjectAltName=IP:127.0.0.1\nextendedKeyUsage=${usage}\n`);
    openssl(
      'req',
      '-new',
      ...newKey,
      '-subj',
      `/CN=${name}`,
      '-keyout',
      `${name}.key`,
      '-out',
      `${name}.csr`,
    );
    openssl(
      ...['x509', '-req', '-in', `${name}.csr`, '-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial'],
      ...['-days', '2', '-extfile', `${name}.ext`, '-out', `${name}.pem`],
    );
    return { certificate: at(`${name}.pem`), key: at(`${name}.key`) };
  };
  return {
    ca: at('ca.pem'),
    server: issue('server', 'serverAuth'),
    client: issue('client', 'clientAuth'),
  };
}

/**
 * Forwards a local port to a port in another network namespace.
 * @param pid a process in that namespace
 * @returns the local port
 */
export async function portInto(t: ExecutionContext, pid: () => number, port: number): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    const far = spawn('nsenter', [
      '--net',
      '--target',
      String(pid()),
      'busybox',
      'nc',
      '127.0.0.1',
      String(port),
    ]);
    const end = () => {
      sockets.delete(socket);
      socket.destroy();
      far.kill();
    };
    for (const stream of [socket, far.stdin, far.stdout]) stream.on('error', end);
    socket.on('close', end);
    far.on('exit', end);
    socket.pipe(far.stdin);
    far.stdout.pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return (server.address() as AddressInfo).port;
}

/**
 * An ssh server on loopback that accepts one key.
 * @returns a PATH with an `ssh` for which the host `far` is this server
 */
export async function sshServer(t: ExecutionContext): Promise<string> {
  const directory = temporaryDirectory(t);
  const at = (name: string) => join(directory, name);
  for (const name of ['host', 'user'])
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', at(name)]);
  const port = await freePort();
  mkdirSync('/run/sshd', { recursive: true });
  writeFileSync(
    at('sshd_config'),
    [
      `ListenAddress 127.0.0.1:${port}`,
      `HostKey ${at('host')}`,
      `AuthorizedKeysFile ${at('user.pub')}`,
      `PidFile none`,
      'StrictModes no',
      'UsePAM no',
      'PermitRootLogin prohibit-password',
    ].join('\n'),
  );
  const sshd = spawn('/usr/sbin/sshd', ['-D', '-e', '-f', at('sshd_config')], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let output = '';
  sshd.stderr.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  t.teardown(() => void sshd.kill());
  const hostKey = execFileSync('ssh-keygen', ['-y', '-f', at('host')], { encoding: 'utf8' });
  writeFileSync(at('known_hosts'), `[127.0.0.1]:${port} ${hostKey}`);
  writeFileSync(
    at('config'),
    [
      'Host far',
      'HostName 127.0.0.1',
      `Port ${port}`,
      `IdentityFile ${at('user')}`,
      `UserKnownHostsFile ${at('known_hosts')}`,
    ].join('\n'),
  );
  // The ssh configuration in the user's home directory.
  mkdirSync(at('bin'));
  writeFileSync(at('bin/ssh'), `#!/bin/sh\nexec /usr/bin/ssh -F ${at('config')} "$@"\n`, { mode: 0o755 });
  await waitFor('the ssh server', () => output.includes('Server listening'));
  return `${at('bin')}:${process.env.PATH}`;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

import { type ChildProcess, spawn } from 'node:child_process';
import { symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';

/** What stands in the arguments of the lineage and must not be found in clear anywhere on disk. */
export const PLANTED_SECRET = 'correct-horse-battery-staple';

const CLIENT = `import { connect } from 'node:net';
const socket = connect(Number(process.argv.at(-1)), '127.0.0.1');
socket.on('close', () => process.exit(0)).on('error', () => process.exit(1));
`;

/**
 * A harmless real lineage: a process named like a web server starts a shell, and the shell a client that connects to a
 * loopback port of ours. It lives until {@link Lineage.end}, so that whoever watches has time to look.
 */
export class Lineage implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #child: ChildProcess | undefined;
  #ended: Promise<void> = Promise.resolve();

  constructor() {
    this.#server = createServer((socket) => {
      this.#sockets.add(socket.on('error', () => undefined));
    });
  }

  /** @param folder for the name and the client's program; @returns pid of the one that is named like a web server */
  async start(folder: string): Promise<{ readonly pid: number; readonly port: number }> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject).listen(0, '127.0.0.1', resolve);
    });
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('the loopback server has no port');
    const client = join(folder, 'client.mjs');
    writeFileSync(client, CLIENT);
    // By a link: the kernel names a process by the path it was started with, and the folder may forbid programs.
    const server = join(folder, 'nginx');
    symlinkSync('/bin/sh', server);
    // `; true` keeps a shell from becoming its child instead of starting it.
    const command = `'${process.execPath}' '${client}' --password=${PLANTED_SECRET} ${address.port}; true`;
    const child = spawn(server, ['-c', '/bin/sh -c "$1"; true', 'nginx', command], { stdio: 'ignore' });
    this.#child = child;
    this.#ended = new Promise((resolve) => child.once('close', () => resolve()));
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve).once('error', reject);
    });
    return { pid: child.pid ?? 0, port: address.port };
  }

  /** Closes the connection: the client ends, and with it the shells. */
  async end(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child?.exitCode === null && this.#sockets.size === 0) this.#child.kill('SIGKILL');
    await this.end();
  }
}

/**
 * Runs in procmond's place, behind its very fences, after the same preparations, and tries to get out. Says on standard
 * error, as one line of JSON, what each attempt came to.
 */
import { spawnSync } from 'node:child_process';
import * as dgram from 'node:dgram';
import * as dns from 'node:dns';
import * as fs from 'node:fs';
import * as http from 'node:http';
import * as net from 'node:net';
import { join } from 'node:path';
import * as v8 from 'node:v8';
import { Worker } from 'node:worker_threads';
import { closeNativeDoors } from '../../src/collector/native-doors-io.ts';
import { parsePrivateKey } from '../../src/core/keys.ts';
import { parseProcmondArguments } from '../../src/ipc/procmond-launch.ts';
import { systemSurroundings } from '../../src/ledger/surroundings-io.ts';
import { openLedgerWriter } from '../../src/ledger/writer-io.ts';

const { log, sealed, key: keyFile } = parseProcmondArguments(process.argv.slice(2));
const data = join(log, '..', '..');
const outside = join(data, 'outside');
const inside = [join(log, 'probe'), join(sealed, 'probe')];
const answers: Record<string, string> = {};
/** Of the attempt under way: some refusals come as an event that nobody listens to. */
let refuse: (reason: unknown) => void = () => undefined;
process.on('uncaughtException', (error) => refuse(error));
// What an attempt leaves open must not end the waiting for it.
const alive = setInterval(() => undefined, 1000);

async function attempt(name: string, work: () => unknown): Promise<void> {
  try {
    const refused = new Promise((_, reject) => {
      refuse = reject;
    });
    await Promise.race([work(), refused]);
    answers[name] = 'done';
  } catch (error) {
    answers[name] = String((error as { code?: unknown }).code ?? (error as Error).message);
  }
}

/** Resolves when a socket or server got somewhere, rejects when it was refused. */
const settled = (emitter: NodeJS.EventEmitter, success: string) =>
  new Promise((resolve, reject) => {
    emitter.once(success, resolve);
    emitter.once('error', reject);
  });

const key = parsePrivateKey(fs.readFileSync(keyFile, 'utf8'));
await using _writer = await openLedgerWriter({ ...systemSurroundings(), directory: log, key });
closeNativeDoors();

await attempt('connect tcp', () => settled(net.connect(9, '127.0.0.1'), 'connect'));
await attempt('connect unix', () => settled(net.connect(join(data, 'agent.sock')), 'connect'));
await attempt('listen tcp', () => settled(net.createServer().listen(0), 'listening'));
await attempt('listen unix', () => settled(net.createServer().listen(join(log, 'sock')), 'listening'));
await attempt('udp', () => settled(dgram.createSocket('udp4').bind(0), 'listening'));
await attempt(
  'udp send',
  () =>
    new Promise((resolve, reject) =>
      dgram.createSocket('udp4').send('x', 9, '127.0.0.1', (error) => (error ? reject(error) : resolve(0))),
    ),
);
await attempt('dns', () => dns.promises.lookup('localhost'));
await attempt('dns resolve', () => dns.promises.resolve4('example.org'));
await attempt('http', () => settled(http.get('http://127.0.0.1:8123/'), 'response'));
await attempt('fetch', async () => {
  try {
    await fetch('http://127.0.0.1:8123/');
  } catch (error) {
    throw (error as { cause?: unknown }).cause ?? error;
  }
});
await attempt('websocket', () => {
  const socket = new WebSocket('ws://127.0.0.1:8123/');
  return new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = () => reject(new TypeError('refused'));
  });
});

for (const path of inside)
  await attempt(`write ${path.includes('sealed') ? 'sealed' : 'log'}`, () => fs.writeFileSync(path, 'x'));
await attempt('write outside', () => fs.writeFileSync(outside, 'x'));
await attempt('write beside the log', () => fs.writeFileSync(`${log}-2`, 'x'));
await attempt('write above', () => fs.writeFileSync(join(log, '..', 'x'), 'x'));
await attempt('append to the key', () => fs.appendFileSync(keyFile, 'x'));
await attempt('mkdir', () => fs.mkdirSync(outside));
await attempt('rename out', () => fs.renameSync(join(log, 'probe'), outside));
await attempt('rename in', () => fs.renameSync(keyFile, join(log, 'taken')));
await attempt('link in', () => fs.linkSync(keyFile, join(log, 'linked')));
await attempt('symlink and write', () => {
  fs.symlinkSync(outside, join(log, 'way-out'));
  fs.writeFileSync(join(log, 'way-out'), 'x');
});
await attempt('remove', () => fs.rmSync(keyFile));
await attempt('chmod', () => fs.chmodSync(keyFile, 0o777));
await attempt('truncate', () => fs.truncateSync(keyFile));
await attempt('own memory', () => fs.openSync('/proc/self/mem', 'r+'));
await attempt('through a descriptor', () => fs.openSync('/proc/self/cwd/x', 'w'));

await attempt('child process', () => {
  const { error } = spawnSync('/bin/true');
  if (error !== undefined) throw error;
});
await attempt('worker', () => settled(new Worker('', { eval: true }), 'exit'));
await attempt('addon', () => process.dlopen({ exports: {} }, '/nowhere.node'));
await attempt('report', () => process.report.writeReport(outside));
await attempt('heap snapshot', () => v8.writeHeapSnapshot(outside));
await attempt('inspector', async () => (await import('node:inspector')).open(0));
await attempt(
  'wasi',
  async () => new (await import('node:wasi')).WASI({ version: 'preview1', preopens: { '/': data } }),
);
await attempt('sqlite import', () => import('node:sqlite'));
await attempt('sqlite require', () =>
  process.getBuiltinModule('node:module').createRequire(import.meta.url)('node:sqlite'),
);
await attempt('sqlite builtin', () => {
  const { DatabaseSync } = process.getBuiltinModule('node:sqlite') as Partial<typeof import('node:sqlite')>;
  if (DatabaseSync === undefined) throw new TypeError('given up');
  new DatabaseSync(outside).exec('CREATE TABLE t(a)');
});
await attempt('binding', () => (process as unknown as { binding: (name: string) => unknown }).binding('fs'));

clearInterval(alive);
fs.writeSync(2, `${JSON.stringify({ ...answers, outside: fs.existsSync(outside) ? 'exists' : 'absent' })}\n`);
// Last: it ends the process, or writes files where it stands.
process.chdir(log);
v8.setFlagsFromString('--trace-turbo');
fs.writeSync(2, 'flags were set\n');
process.exit(0);

import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Child } from '../../src/sandbox/child-process-io.ts';
import { type Launch, launchOf } from '../../src/sandbox/launch.ts';
import { expectCodeAsync } from '../support/expect-code.ts';
import { tempDirectory } from '../support/temp.ts';

const ROOT = join(import.meta.dirname, '../..');
const OPEN = { engine: 'sqlite', place: 'agent', limits: { rows: 10, cells: 10, bytes: 1000 } } as const;

const launch = (main: string, memoryBytes = 256 * 1024 * 1024): Launch =>
  launchOf({ execPath: process.execPath, platform: process.platform, main, databases: [], memoryBytes });

/** A folder laid out like the program, with `source` where the child's main file would be. */
function stage(name: string, source: string): string {
  const root = tempDirectory();
  mkdirSync(join(root, 'src/sandbox'), { recursive: true });
  writeFileSync(join(root, 'package.json'), '{"type":"module"}');
  const main = join(root, 'src/sandbox', name);
  writeFileSync(main, source);
  return main;
}

/** What a child that was taken over would try. Each line of its output is `name: error code or "done"`. */
const probe = (outside: string, port: number) => `
import { readFileSync, writeFileSync, openSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
const load = (name) => process.getBuiltinModule(name);
const outside = ${JSON.stringify(outside)};
const tries = {
  readPasswd: () => readFileSync('/etc/passwd'),
  readEnvironment: () => readFileSync('/proc/self/environ'),
  readOutside: () => readFileSync(outside + '/secret'),
  listOutside: () => load('fs').readdirSync(outside),
  write: () => writeFileSync(outside + '/written', 'x'),
  writeBeside: () => openSync(import.meta.dirname + '/written', 'w'),
  spawn: () => load('child_process').spawnSync('/bin/true'),
  worker: () => new (load('worker_threads').Worker)('1', { eval: true }),
  addon: () => process.dlopen({ exports: {} }, outside + '/evil.node'),
  inspector: () => load('inspector').open(0),
  binding: () => process.binding('spawn_sync'),
  evaluate: () => (0, eval)('1'),
  construct: () => new Function('return 1')(),
  listen: () => load('net').createServer().listen(0),
  sqliteAttach: () => new DatabaseSync(':memory:').exec("ATTACH '" + outside + "/attached.db' AS x; CREATE TABLE x.t (a)"),
  sqliteVacuum: () => new DatabaseSync(':memory:').exec("CREATE TABLE t (a); VACUUM INTO '" + outside + "/vacuum.db'"),
  sqliteExtension: () => new DatabaseSync(':memory:', { allowExtension: true }),
  environment: () => { if (Object.keys(process.env).some((name) => !['PWD', 'OLDPWD', 'SHLVL', '_'].includes(name))) return; throw { code: 'EMPTY' }; },
};
const say = (name, error) => console.log(name + ': ' + (error === undefined ? 'done' : (error.code ?? error.name)));
for (const [name, attempt] of Object.entries(tries)) {
  try { attempt(); say(name); } catch (error) { say(name, error); }
}
const tcp = load('net').connect(${port}, '127.0.0.1');
tcp.on('connect', () => say('tcp')).on('error', (error) => say('tcp', error));
const unix = load('net').connect(outside + '/socket');
unix.on('connect', () => say('unix')).on('error', (error) => say('unix', error));
const udp = load('dgram').createSocket('udp4');
udp.on('error', (error) => { say('udp', error); udp.close(); });
udp.send('x', ${port}, '127.0.0.1', (error) => { if (!error) { say('udp'); udp.close(); } });
`;

/** Compiles what the child loads, as the build does: types stripped, `.ts` imports renamed. */
function compiledChild(): string {
  const root = tempDirectory();
  writeFileSync(join(root, 'package.json'), '{"type":"module"}');
  const dist = join(root, 'dist');
  cpSync(join(ROOT, 'schemas'), join(dist, 'schemas'), { recursive: true });
  for (const folder of ['src/sandbox', 'src/core']) {
    mkdirSync(join(dist, folder), { recursive: true });
    for (const name of readdirSync(join(ROOT, folder)).filter((file) => file.endsWith('.ts'))) {
      const code = stripTypeScriptTypes(readFileSync(join(ROOT, folder, name), 'utf8'));
      writeFileSync(join(dist, folder, name.replace(/\.ts$/, '.js')), code.replace(/(from '\.[^']*)\.ts'/g, "$1.js'"));
    }
  }
  return join(dist, 'src/sandbox/child-io.js');
}

describe.each(['probe.ts', 'probe.js'])('behind the flags of the child (%s)', (name) => {
  it('nothing can be read, written, started or reached', async () => {
    const outside = tempDirectory();
    writeFileSync(join(outside, 'secret'), 'secret');
    const server = createServer().listen(0, '127.0.0.1');
    const unix = createServer().listen(join(outside, 'socket'));
    onTestFinished(() => void [server.close(), unix.close()]);
    await new Promise((resolve) => server.once('listening', resolve));
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;

    const { command, args, cwd } = launch(stage(name, probe(outside, port)));
    const { stdout, stderr } = spawnSync(command, args, { cwd, env: {}, encoding: 'utf8' });
    const said = Object.fromEntries(
      stdout
        .trim()
        .split('\n')
        .map((line) => line.split(': ')),
    );

    expect(said, stderr).toEqual({
      readPasswd: 'ERR_ACCESS_DENIED',
      readEnvironment: 'ERR_ACCESS_DENIED',
      readOutside: 'ERR_ACCESS_DENIED',
      listOutside: 'ERR_ACCESS_DENIED',
      write: 'ERR_ACCESS_DENIED',
      writeBeside: 'ERR_ACCESS_DENIED',
      spawn: 'ERR_ACCESS_DENIED',
      worker: 'ERR_ACCESS_DENIED',
      addon: 'ERR_DLOPEN_DISABLED',
      inspector: 'ERR_ACCESS_DENIED',
      binding: 'ERR_ACCESS_DENIED',
      evaluate: 'EvalError',
      construct: 'EvalError',
      listen: 'ERR_ACCESS_DENIED',
      sqliteAttach: 'ERR_SQLITE_ERROR',
      sqliteVacuum: 'ERR_SQLITE_ERROR',
      sqliteExtension: 'ERR_LOAD_SQLITE_EXTENSION',
      environment: 'EMPTY',
      tcp: 'ERR_ACCESS_DENIED',
      unix: 'ERR_ACCESS_DENIED',
      udp: 'ERR_ACCESS_DENIED',
    });
    // SQLite's own file access is native: only the limit on file size stops it, and may leave an empty file.
    for (const file of ['written', 'attached.db', 'vacuum.db']) {
      expect(existsSync(join(outside, file)) ? readFileSync(join(outside, file)).length : 0).toBe(0);
    }
  });
});

describe('the compiled child', () => {
  it('answers, makes no machine code, and dies of too much memory as the other does', async () => {
    const main = compiledChild();
    expect(launch(main).args).toContain('--jitless');
    const child = new Child(launch(main, 96 * 1024 * 1024), 1_000_000);
    onTestFinished(() => child.end());
    await child.start(OPEN, 20_000);
    const sql = 'SELECT process_name FROM new_process_creation JOIN processes USING (entity)';
    expect(await child.ask({ sql }, 20_000, undefined)).toMatchObject({ rows: [] });
    const bomb = `WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 100000)
      SELECT max(h) FROM (SELECT hex(hex(hex(hex(a.x || 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa')))) AS h FROM c AS a, c AS b ORDER BY h DESC LIMIT -1 OFFSET 1)`;
    if (process.platform === 'linux') await expectCodeAsync(child.ask({ sql: bomb }, 60_000, undefined), 'MEMORY');
  });
});

describe('a child that was taken over', () => {
  const answering = (script: string) => {
    const main = stage(
      'child.js',
      `import { readSync, writeSync } from 'node:fs';
      const read = () => { const b = Buffer.alloc(65536); return b.toString('utf8', 0, readSync(0, b)); };
      const say = (text) => { const b = Buffer.from(text); for (let at = 0; at < b.length; ) at += writeSync(1, b, at); };
      read(); say('{"ready":true}\\n'); read(); ${script}; setInterval(() => {}, 1000);`,
    );
    const child = new Child(launch(main), 10_000);
    onTestFinished(() => child.end());
    return child;
  };
  it.each([
    ['floods the parent', "say('x'.repeat(20000))"],
    ['speaks no JSON', "say('hello\\n')"],
    ['answers another question', 'say(\'{"id":7,"columns":[],"origins":[],"rows":[],"reads":{}}\\n\')'],
    ['answers twice', 'say(\'{"id":1,"columns":[],"origins":[],"rows":[],"reads":{}}\\n\'.repeat(2))'],
    ['gives a code that is not its to give', 'say(\'{"id":1,"code":"CLOSED","message":""}\\n\')'],
    ['is ready again', 'say(\'{"ready":true}\\n\')'],
    ['leaves', 'process.exit(3)'],
  ])('is ended when it %s', async (_, script) => {
    const child = answering(script);
    await child.start(OPEN, 20_000);
    await expectCodeAsync(child.ask({ sql: 'SELECT 1' }, 20_000, undefined), 'CHILD_DIED');
    expect(child.alive).toBe(false);
  });

  it('is ended when it says nothing', async () => {
    const child = answering('');
    await child.start(OPEN, 20_000);
    await expectCodeAsync(child.ask({ sql: 'SELECT 1' }, 50, undefined), 'DEADLINE');
  });

  it('says why it could not start', async () => {
    const child = new Child(launch(join(tempDirectory(), 'missing.js')), 1000);
    await expectCodeAsync(child.start(OPEN, 20_000), 'CHILD_DIED');
  });

  it('is reported when there is no such program', async () => {
    const child = new Child({ command: join(tempDirectory(), 'none'), args: [], cwd: tempDirectory() }, 1000);
    await expectCodeAsync(child.start(OPEN, 20_000), 'CHILD_DIED');
  });
});

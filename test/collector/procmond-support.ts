import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { afterAll, onTestFinished } from 'vitest';
import { validateEvent } from '../../src/core/event.ts';
import { formatPrivateKey } from '../../src/core/keys.ts';
import { createDirectoryDurably } from '../../src/durable/files-io.ts';
import { FromAgentSchema, type FromCollector } from '../../src/ipc/gen/ipc_pb.ts';
import { type ProcmondOptions, procmondPaths } from '../../src/ipc/procmond-launch.ts';
import { type CollectorProcess, type SpawnProcmond, spawnProcmond } from '../../src/ipc/spawn-io.ts';
import { createLedger } from '../../src/ledger/create-io.ts';
import { ensureBuilt, ROOT } from '../support/cli.ts';
import { testKey } from '../support/keys.ts';
import { tempDirectory } from '../support/temp.ts';

export const HOST = 'testhost';
export const KEY = testKey('procmond');

let building: Promise<void> | undefined;

/** The compiled main file, as it ships: the sources cost each process another second of the machine's time. */
export async function compiledMain(): Promise<string> {
  building ??= ensureBuilt();
  await building;
  return join(ROOT, 'dist/src/collector/procmond-main.js');
}

export type Place = ReturnType<typeof procmondPaths> & { readonly data: string };

/** A data directory with what procmond needs, as the agent makes it. */
export function place(data: string = tempDirectory()): Place {
  const paths = procmondPaths(data);
  createDirectoryDurably(dirname(paths.key));
  appendFileSync(paths.key, formatPrivateKey(KEY.handle), { mode: 0o600 });
  const createdAt = '2026-11-22T00:00:00.000Z';
  createLedger({
    directory: paths.log,
    host: HOST,
    origin: `example.org/${HOST}/procmond`,
    hash: 'blake3',
    key: KEY,
    createdAt,
  });
  createDirectoryDurably(paths.sealed);
  return { ...paths, data };
}

export async function person() {
  const identity = await generateX25519Identity();
  return { identity, recipient: await identityToRecipient(identity) };
}

/** A line as the agent gets it. */
export type Seen = {
  readonly seq: number;
  readonly type: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into any event
  readonly data: Record<string, any>;
  readonly bytes: Uint8Array;
  readonly kid?: string;
  readonly argv?: readonly string[];
  readonly env?: readonly string[];
};

type Body = NonNullable<MessageInitShape<typeof FromAgentSchema>['body']>;

/** The agent's end of a running procmond, which remembers all that it was told and lets tests wait for it. */
export class Watched {
  readonly process: CollectorProcess;
  readonly seen: Seen[] = [];
  readonly messages: FromCollector[] = [];
  #waiting: (() => void)[] = [];
  #ended = false;
  #id = 0n;
  #started: Promise<void> | undefined;

  constructor(process: CollectorProcess) {
    this.process = process;
    void this.#read();
  }

  async send(body: Body): Promise<bigint> {
    this.#id += 1n;
    await this.process.channel.writer.write(create(FromAgentSchema, { body, correlationId: this.#id }));
    return this.#id;
  }

  async ask(body: Body): Promise<FromCollector> {
    const id = await this.send(body);
    return await this.#until(() => this.messages.find(({ inReplyTo }) => inReplyTo === id), 'an answer');
  }

  /** The first line, now or later, that fits. */
  async until(what: string, fits: (seen: Seen) => boolean): Promise<Seen> {
    return await this.#until(() => this.seen.find(fits), what);
  }

  async message<C extends FromCollector['body']['case']>(
    kind: C,
    fits: (message: FromCollector) => boolean = () => true,
  ) {
    const is = (message: FromCollector) => message.body.case === kind && fits(message);
    const { body } = await this.#until(() => this.messages.find(is), String(kind));
    return body as Extract<FromCollector['body'], { case: C }>;
  }

  /** Resolves when its first look is in; asked again, it is the same start. */
  async start(): Promise<void> {
    this.#started ??= this.#start();
    await this.#started;
  }

  async #start(): Promise<void> {
    await this.send({ case: 'start', value: {} });
    await this.until(
      'procmond itself',
      ({ type, data }) => type === 'process.snapshot' && data['process_pid'] === this.process.pid,
    );
  }

  async stop() {
    await this.send({ case: 'stop', value: { reason: 'the test is over' } });
    return await this.process.exited;
  }

  async #read(): Promise<void> {
    try {
      for await (const message of this.process.channel.reader.messages()) this.#take(message);
    } catch {
      // Killed: whoever waits is told.
    }
    this.#ended = true;
    this.process.channel.end();
    this.#wake();
  }

  #take(message: FromCollector): void {
    this.messages.push(message);
    if (message.body.case === 'events') {
      for (const { seq, line, arguments: argv, environment } of message.body.value.events) {
        const texts = (values: readonly Uint8Array[]) => values.map((value) => Buffer.from(value).toString());
        this.seen.push({
          ...JSON.parse(Buffer.from(line).toString()),
          seq: Number(seq),
          bytes: line,
          ...(argv === undefined ? {} : { argv: texts(argv.values) }),
          ...(environment === undefined ? {} : { env: texts(environment.values) }),
        });
      }
    }
    this.#wake();
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }

  async #until<T>(find: () => T | undefined, what: string): Promise<T> {
    for (;;) {
      const found = find();
      if (found !== undefined) return found;
      if (this.#ended) throw new Error(`procmond ended before ${what}: ${(await this.process.exited).complaint}`);
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }
}

type WatchOptions = Partial<ProcmondOptions> & Partial<SpawnProcmond>;

/** Starts procmond as it ships, behind its real fences; killed when the test ends. */
export async function watch(where: Place, options: WatchOptions = {}): Promise<Watched> {
  const procmond = await launch(where, options);
  onTestFinished(() => killed(procmond));
  return procmond;
}

/**
 * One procmond for all tests of a file or `describe` that leave it as it was: started when first asked for, killed after
 * the last of them.
 */
export function sharedProcmond(options: () => Promise<WatchOptions> | WatchOptions = () => ({})) {
  let running: Promise<{ readonly procmond: Watched; readonly where: Place }> | undefined;
  const begin = async () => {
    const where = place(mkdtempSync(join(tmpdir(), 'daemoneye-test-')));
    return { where, procmond: await launch(where, await options()) };
  };
  afterAll(async () => {
    if (running === undefined) return;
    const { procmond, where } = await running;
    await killed(procmond);
    rmSync(where.data, { recursive: true, force: true });
  });
  return () => {
    running ??= begin();
    return running;
  };
}

async function launch(where: Place, options: WatchOptions): Promise<Watched> {
  const { data: _, ...paths } = where;
  const quiet = { recipients: [], intervalMs: 20, socketsMs: 0, environment: false, logBytes: 10_000_000 };
  return new Watched(await spawnProcmond({ ...paths, ...quiet, main: await compiledMain(), ...options }));
}

async function killed({ process }: Watched): Promise<void> {
  process.kill('SIGKILL');
  await process.exited;
}

/** Every event keeps the contract. */
export function assertContract(seen: readonly Seen[]): void {
  for (const { type, data } of seen) validateEvent(type, data);
}

/** Files below a directory. */
export function filesBelow(directory: string): string[] {
  return readdirSync(directory, { recursive: true })
    .map((name) => join(directory, String(name)))
    .filter((path) => statSync(path).isFile());
}

/** The files in which any of these byte strings stand. */
export function grep(directory: string, ...needles: readonly (string | Buffer)[]): string[] {
  return filesBelow(directory).filter((path) => {
    const bytes = readFileSync(path);
    return needles.some((needle) => bytes.includes(needle));
  });
}

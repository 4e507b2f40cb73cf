import { appendFileSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { onTestFinished } from 'vitest';
import { validateEvent } from '../../src/core/event.ts';
import { formatPrivateKey } from '../../src/core/keys.ts';
import { createDirectoryDurably } from '../../src/durable/files-io.ts';
import { FromAgentSchema, type FromCollector } from '../../src/ipc/gen/ipc_pb.ts';
import { type ProcmondOptions, procmondPaths } from '../../src/ipc/procmond-launch.ts';
import { type CollectorProcess, type SpawnProcmond, spawnProcmond } from '../../src/ipc/spawn-io.ts';
import { createLedger } from '../../src/ledger/create-io.ts';
import { testKey } from '../support/keys.ts';
import { tempDirectory } from '../support/temp.ts';

export const HOST = 'testhost';
export const KEY = testKey('procmond');

export type Place = ReturnType<typeof procmondPaths> & { readonly data: string };

/** A data directory with what procmond needs, as the agent makes it. */
export function place(data: string = tempDirectory()): Place {
  const paths = procmondPaths(data);
  createDirectoryDurably(join(data, 'keys'));
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

  async start(): Promise<void> {
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

/** Starts procmond from its sources behind its real fences; killed when the test ends. */
export async function watch(
  where: Place,
  options: Partial<ProcmondOptions> & Partial<SpawnProcmond> = {},
): Promise<Watched> {
  const { data: _, ...paths } = where;
  const process = await spawnProcmond({
    ...paths,
    recipients: [],
    intervalMs: 20,
    socketsMs: 0,
    environment: false,
    ...options,
  });
  onTestFinished(async () => {
    process.kill('SIGKILL');
    await process.exited;
  });
  return new Watched(process);
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

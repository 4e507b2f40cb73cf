import { createHash } from 'node:crypto';
import { cpSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { Check, Report } from '../../src/core/checks.ts';
import type { HashName } from '../../src/core/digest.ts';
import type { Surroundings } from '../../src/ledger/composer.ts';
import { createLedger } from '../../src/ledger/create-io.ts';
import type { Actor } from '../../src/ledger/line.ts';
import { type VerifyLedgerOptions, verifyLedger } from '../../src/ledger/verify-io.ts';
import { type LedgerWriter, openLedgerWriter, type WriterOptions } from '../../src/ledger/writer-io.ts';
import { testKey } from '../support/keys.ts';
import { tempDirectory } from '../support/temp.ts';

export const logKey = testKey('log');
export const origin = 'daemoneye.example/host-1/agent';
export const actor: Actor = { type: 'process', id: 'test' };

/** Time that moves only when told to, or by a millisecond each time it is asked for; chance that repeats. */
export type FakeSurroundings = Surroundings & { ts: number; micros: number };

let started = 0;

/** Each starts an hour after the one before, so that a log opened again sees time move on. */
export function fakeSurroundings(boot = 'boot-1'): FakeSurroundings {
  let drawn = 0;
  started += 1;
  const fake: FakeSurroundings = {
    ts: 1_700_000_000_000 + started * 3_600_000,
    micros: started * 3_600_000_000,
    boot,
    clock: {
      now: () => {
        fake.ts += 1;
        return fake.ts;
      },
      mono: () => {
        fake.micros += 1000;
        return fake.micros;
      },
    },
    random: (bytes) => {
      drawn += 1;
      const seed = createHash('shake256', { outputLength: bytes }).update(`${boot} ${drawn}`);
      return new Uint8Array(seed.digest());
    },
  };
  return fake;
}

export type TestLedger = { readonly directory: string; readonly lines: Uint8Array[] };

export type TestLedgerOptions = { readonly hash?: HashName; readonly rotate?: number; readonly lines?: number };

/** A closed log with some lines, in a directory of its own. */
export async function testLedger({ hash = 'blake3', rotate, lines = 0 }: TestLedgerOptions = {}): Promise<TestLedger> {
  const directory = join(tempDirectory(), 'log');
  const limits = rotate === undefined ? {} : { rotate };
  createLedger({
    directory,
    host: 'host-1',
    origin,
    hash,
    key: logKey,
    createdAt: '2026-01-01T00:00:00.000Z',
    ...limits,
  });
  const written: Uint8Array[] = [];
  if (lines > 0) {
    await using writer = await open(directory, { history: { entries: 3, seconds: 3600 } });
    for (let i = 0; i < lines; i += 1) written.push((await append(writer, i)).line);
  }
  return { directory, lines: written };
}

export async function open(directory: string, options: Partial<WriterOptions> = {}): Promise<LedgerWriter> {
  return await openLedgerWriter({ directory, key: logKey, ...fakeSurroundings(), ...options });
}

export function append(writer: LedgerWriter, i: number, type = 'process.start') {
  return writer.append({ type, actor, data: { i, text: `entry ${i}` } });
}

/** A verification with the right key. */
export async function verify(directory: string, options: VerifyLedgerOptions = {}): Promise<Report> {
  return await verifyLedger(directory, { key: logKey.publicKey, ...options });
}

export async function expectTrusted(directory: string, options: VerifyLedgerOptions = {}): Promise<Report> {
  const report = await verify(directory, options);
  expect(report.checks.filter(({ status }) => status !== 'pass')).toEqual([]);
  expect(report.verdict).toBe('trusted');
  return report;
}

/** The first check that failed, with its code. */
export async function expectRefused(
  directory: string,
  name: string,
  code: string,
  options: VerifyLedgerOptions = {},
): Promise<Check> {
  const report = await verify(directory, options);
  expect(report.verdict).toBe('refused');
  const check = report.checks.find(({ status }) => status === 'fail');
  expect([check?.name, check?.code], check?.reason).toEqual([name, code]);
  return check as Check;
}

export function check(report: Report, name: string): Check {
  const found = report.checks.find((one) => one.name === name);
  if (found === undefined) throw new Error(`no check ${name}`);
  return found;
}

/** A copy to do harm to. */
export function copyOf(directory: string): string {
  const copy = join(tempDirectory(), 'copy');
  cpSync(directory, copy, { recursive: true });
  return copy;
}

/** Every plain file below, relative. */
export function filesBelow(directory: string): string[] {
  const names = readdirSync(directory, { recursive: true, encoding: 'utf8' });
  return names.filter((name) => statSync(join(directory, name)).isFile()).sort();
}

/** Everything a log consists of, byte for byte, to see whether anything was touched. */
export function snapshot(directory: string): Record<string, string> {
  const names = filesBelow(directory).filter((name) => name !== 'lock');
  return Object.fromEntries(names.map((name) => [name, readFileSync(join(directory, name)).toString('base64')]));
}

export function edit(path: string, change: (bytes: Buffer) => Uint8Array): void {
  writeFileSync(path, change(readFileSync(path)));
}

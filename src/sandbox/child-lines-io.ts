import { writeSync } from 'node:fs';
import { messageOf } from '../core/errors.ts';
import { SandboxError } from './errors.ts';
import { encodeFrame } from './protocol.ts';

/** What every child says, and how: whole lines, written before it goes on. */

const STDOUT = 1;

export function writeLine(text: string): void {
  const bytes = Buffer.from(`${text}\n`);
  for (let at = 0; at < bytes.length; ) at += writeSync(STDOUT, bytes, at);
}

export function writeReady(): void {
  writeLine(encodeFrame({ ready: true }));
}

export function writeFailure(id: number, thrown: unknown): void {
  const error = thrown instanceof SandboxError ? thrown : new SandboxError('SQL_ERROR', messageOf(thrown));
  writeLine(encodeFrame({ id, code: error.code, message: error.message }));
}

/** @param answer its rows are text already, so that their size was known before there was too much of it */
export function writeAnswer(id: number, { rows, ...rest }: { readonly rows: string }): void {
  const head = JSON.stringify({ id, ...rest });
  writeLine(`${head.slice(0, -1)},"rows":${rows}}`);
}

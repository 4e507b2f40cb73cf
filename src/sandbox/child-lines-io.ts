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
  writeLine(failureLine(id, thrown));
}

export function writeAnswer(id: number, answer: { readonly rows: string }): void {
  writeLine(answerLine(id, answer));
}

export function failureLine(id: number, thrown: unknown): string {
  const error = thrown instanceof SandboxError ? thrown : new SandboxError('SQL_ERROR', messageOf(thrown));
  return encodeFrame({ id, code: error.code, message: error.message });
}

/** @param answer its rows are text already, so that their size was known before there was too much of it */
export function answerLine(id: number, { rows, ...rest }: { readonly rows: string }): string {
  const head = JSON.stringify({ id, ...rest });
  return `${head.slice(0, -1)},"rows":${rows}}`;
}

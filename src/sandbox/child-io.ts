import { readSync, writeSync } from 'node:fs';
import { messageOf } from '../core/errors.ts';
import { SandboxError } from './errors.ts';
import { encodeFrame, type OpenRequest, type QuestionFrame } from './protocol.ts';
import { SqliteEngine } from './sqlite-engine-io.ts';

/**
 * The child that answers untrusted SQL: started by sandbox-io.ts with every permission withheld, and killed by it.
 *
 * It reads and writes synchronously: there is nothing else it could do meanwhile, and a statement holds the thread
 * anyway. At the end of its input, when the parent is gone, it ends.
 */

const STDIN = 0;
const STDOUT = 1;
const CHUNK_BYTES = 64 * 1024;

function* readLines(): Generator<string> {
  let pending: Uint8Array[] = [];
  for (;;) {
    const chunk = new Uint8Array(CHUNK_BYTES);
    const bytes = readSync(STDIN, chunk);
    if (bytes === 0) return;
    let rest = chunk.subarray(0, bytes);
    for (let end = rest.indexOf(0x0a); end !== -1; end = rest.indexOf(0x0a)) {
      yield Buffer.concat([...pending, rest.subarray(0, end)]).toString('utf8');
      pending = [];
      rest = rest.subarray(end + 1);
    }
    if (rest.length > 0) pending.push(rest);
  }
}

function writeLine(text: string): void {
  const bytes = Buffer.from(`${text}\n`);
  for (let at = 0; at < bytes.length; ) at += writeSync(STDOUT, bytes, at);
}

function failureLine(id: number, thrown: unknown): string {
  const error = thrown instanceof SandboxError ? thrown : new SandboxError('SQL_ERROR', messageOf(thrown));
  return encodeFrame({ id, code: error.code, message: error.message });
}

function answerLine(engine: SqliteEngine, question: QuestionFrame): string {
  try {
    const { rows, ...rest } = engine.answer(question);
    const head = JSON.stringify({ id: question.id, ...rest });
    return `${head.slice(0, -1)},"rows":${rows}}`;
  } catch (thrown) {
    return failureLine(question.id, thrown);
  }
}

function main(): void {
  const lines = readLines();
  const first = lines.next();
  if (first.done === true) return;
  let engine: SqliteEngine;
  try {
    engine = new SqliteEngine(JSON.parse(first.value) as OpenRequest);
  } catch (thrown) {
    writeLine(failureLine(0, thrown));
    return;
  }
  writeLine(encodeFrame({ ready: true }));
  for (const line of lines) writeLine(answerLine(engine, JSON.parse(line) as QuestionFrame));
}

main();

import { writeSync } from 'node:fs';
import { messageOf } from '../core/errors.ts';
import { DuckdbEngine, EngineBroken } from './duckdb-engine-io.ts';
import type { DuckdbOpenRequest } from './duckdb-request.ts';
import { SandboxError } from './errors.ts';
import { encodeFrame, type QuestionFrame } from './protocol.ts';

/**
 * The child that answers questions about a case: started behind a fence by duckdb-sandbox-io.ts, and killed by it.
 * When its input ends, the parent is gone, and it ends at once, whatever it is doing.
 */

const STDOUT = 1;
const NEWLINE = 0x0a;

function writeLine(text: string): void {
  const bytes = Buffer.from(`${text}\n`);
  for (let at = 0; at < bytes.length; ) at += writeSync(STDOUT, bytes, at);
}

function failureLine(id: number, thrown: unknown): string {
  const error = thrown instanceof SandboxError ? thrown : new SandboxError('SQL_ERROR', messageOf(thrown));
  return encodeFrame({ id, code: error.code, message: error.message });
}

let engine: DuckdbEngine | undefined;

async function open(line: string): Promise<void> {
  try {
    const { database, limits, engineMemoryBytes } = JSON.parse(line) as DuckdbOpenRequest;
    engine = await DuckdbEngine.open(database, limits, engineMemoryBytes);
    writeLine(encodeFrame({ ready: true }));
  } catch (thrown) {
    writeLine(failureLine(0, thrown));
    process.exit(1);
  }
}

async function answer(opened: DuckdbEngine, question: QuestionFrame): Promise<void> {
  try {
    const { rows, ...rest } = await opened.answer(question);
    const head = JSON.stringify({ id: question.id, ...rest });
    writeLine(`${head.slice(0, -1)},"rows":${rows}}`);
  } catch (thrown) {
    if (thrown instanceof EngineBroken) {
      process.stderr.write(`${thrown.message}\n`);
      process.exit(1);
    }
    writeLine(failureLine(question.id, thrown));
  }
}

let pending: Uint8Array[] = [];

process.stdin.on('data', (chunk: Buffer) => {
  // One question at a time: a line is always the end of a piece.
  pending.push(chunk);
  if (chunk.at(-1) !== NEWLINE) return;
  const line = Buffer.concat(pending).toString('utf8');
  pending = [];
  void (engine === undefined ? open(line) : answer(engine, JSON.parse(line) as QuestionFrame));
});
process.stdin.on('end', () => process.exit(0));

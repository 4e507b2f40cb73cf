import { readSync } from 'node:fs';
import { writeAnswer, writeFailure, writeReady } from './child-lines-io.ts';
import type { QuestionFrame, SqliteOpenRequest } from './protocol.ts';
import { SqliteEngine } from './sqlite-engine-io.ts';

/**
 * The child that answers untrusted SQL: started by sandbox-io.ts with every permission withheld, and killed by it.
 *
 * It reads and writes synchronously: there is nothing else it could do meanwhile, and a statement holds the thread
 * anyway. At the end of its input, when the parent is gone, it ends.
 */

const STDIN = 0;
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

function answer(engine: SqliteEngine, question: QuestionFrame): void {
  try {
    writeAnswer(question.id, engine.answer(question));
  } catch (thrown) {
    writeFailure(question.id, thrown);
  }
}

function main(): void {
  const lines = readLines();
  const first = lines.next();
  if (first.done === true) return;
  let engine: SqliteEngine;
  try {
    engine = new SqliteEngine(JSON.parse(first.value) as SqliteOpenRequest);
  } catch (thrown) {
    writeFailure(0, thrown);
    return;
  }
  writeReady();
  for (const line of lines) answer(engine, JSON.parse(line) as QuestionFrame);
}

main();

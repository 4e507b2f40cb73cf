import { readSync } from 'node:fs';
import { answerLine, failureLine, writeLine, writeReady } from './child-lines-io.ts';
import type { ManyFrame, QuestionFrame, SqliteOpenRequest } from './protocol.ts';
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

function answerTo(engine: SqliteEngine, question: QuestionFrame): string {
  try {
    return answerLine(question.id, engine.answer(question));
  } catch (thrown) {
    return failureLine(question.id, thrown);
  }
}

/** Answers without rows are told together, but not much later than they are known. */
const TELL_MS = 2;
const texts = new Map<number, string>();

function answerMany(engine: SqliteEngine, { many, careful }: ManyFrame): void {
  let nothing: number[] = [];
  let told = performance.now();
  const tell = () => {
    if (nothing.length > 0) writeLine(`{"nothing":[${nothing.join(',')}]}`);
    nothing = [];
    told = performance.now();
  };
  for (const { id, known, sql } of many) {
    if (sql !== undefined) texts.set(known, sql);
    const answer = answerTo(engine, { id, sql: texts.get(known) ?? '' });
    if (answer.endsWith('"rows":[]}')) nothing.push(id);
    else {
      tell();
      writeLine(answer);
    }
    if (careful || performance.now() - told > TELL_MS) tell();
  }
  tell();
}

function main(): void {
  // Ctrl-C and a terminal that goes away reach all in its foreground. The parent decides; its end is the end of the input.
  for (const signal of ['SIGINT', 'SIGHUP'] as const) process.on(signal, () => undefined);
  const lines = readLines();
  const first = lines.next();
  if (first.done === true) return;
  let engine: SqliteEngine;
  try {
    engine = new SqliteEngine(JSON.parse(first.value) as SqliteOpenRequest);
  } catch (thrown) {
    writeLine(failureLine(0, thrown));
    return;
  }
  writeReady();
  for (const line of lines) {
    const frame = JSON.parse(line) as QuestionFrame | ManyFrame;
    if ('many' in frame) answerMany(engine, frame);
    else writeLine(answerTo(engine, frame));
  }
}

main();

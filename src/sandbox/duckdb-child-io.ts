import { writeAnswer, writeFailure, writeReady } from './child-lines-io.ts';
import { DuckdbEngine, EngineBroken } from './duckdb-engine-io.ts';
import type { DuckdbOpenRequest, QuestionFrame } from './protocol.ts';

/**
 * The child that answers questions about a case: started behind a fence by duckdb-sandbox-io.ts, and killed by it.
 * When its input ends, the parent is gone, and it ends at once, whatever it is doing: not by `process.exit`, which waits
 * for the thread that a statement runs in.
 */

const NEWLINE = 0x0a;

let engine: DuckdbEngine | undefined;

async function open(line: string): Promise<void> {
  try {
    const { database, limits, engineMemoryBytes } = JSON.parse(line) as DuckdbOpenRequest;
    engine = await DuckdbEngine.open(database, limits, engineMemoryBytes);
    writeReady();
  } catch (thrown) {
    writeFailure(0, thrown);
    process.exit(1);
  }
}

async function answer(opened: DuckdbEngine, question: QuestionFrame): Promise<void> {
  try {
    writeAnswer(question.id, await opened.answer(question));
  } catch (thrown) {
    if (thrown instanceof EngineBroken) {
      process.stderr.write(`${thrown.message}\n`);
      process.exit(1);
    }
    writeFailure(question.id, thrown);
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
process.stdin.on('end', () => {
  process.kill(process.pid, 'SIGKILL');
  // Behind namespaces it is their first process, which no signal of its own kills (pid_namespaces(7)); a fault does.
  process.abort();
});

import { concatBytes, decodeUtf8 } from '../core/bytes.ts';
import { proveEpochLinks } from './epoch-links.ts';
import { LedgerError } from './errors.ts';
import { MAX_SHOWN_BYTES } from './format.ts';
import { createHashFunction } from './hashing.ts';
import { encodeLogProof, type LogKeys } from './log-proof.ts';
import type { RangeDocument } from './range-document.ts';
import type { LedgerReader } from './reader-io.ts';
import { rotationLines } from './rotation.ts';
import { breathe } from './scan-io.ts';
import { TraceLines } from './trace-lines.ts';

/** A proof, and the lines to hand over with it. */
export type MadeLogProof = {
  readonly proof: Uint8Array;
  readonly range: RangeDocument;
  /** The shown lines, verbatim, each with its newline. */
  readonly lines: Uint8Array;
};

const BREATHE_LINES = 4096;

/**
 * Proves what is shown of the range [from, to) of a log, under its head: every line or, with a trace, all of that
 * trace's lines and nothing else. Checked before it is returned.
 * @throws LedgerError NO_SUCH_ENTRY, RANGE_TOO_LARGE, TRACE_NOT_FOUND, TRACE_NOT_WHOLE, TRACE_LINE_UNSIGNED, TREE_DAMAGED or TAMPERED;
 *   DurableError
 */
export async function proveLogRange(
  reader: LedgerReader,
  { from, to, trace, signal }: { from: number; to: number; trace?: string | undefined; signal?: AbortSignal },
): Promise<MadeLogProof> {
  if (to > reader.size || from >= to) throw noSuchRange(reader, from, to);
  const shown = trace === undefined ? everyOf(from, to) : await linesOfTrace(reader, { from, to, trace, signal });
  const lines = await withNewlines(reader, shown);
  const range = await reader.proveRange(from, to, shown);
  const proof = encodeLogProof({
    range,
    checkpoint: reader.head.note,
    ...(reader.epochs.length === 1 ? {} : { keys: await keysOf(reader) }),
    ...(trace === undefined ? {} : { trace }),
  });
  return { proof, range, lines };
}

function everyOf(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i);
}

async function keysOf(reader: LedgerReader): Promise<LogKeys> {
  const { genesisBytes, epochs } = reader;
  const links = await proveEpochLinks(epochs, reader.size, (a, size) => reader.proveConsistency(a, size));
  return { genesis: decodeUtf8(genesisBytes), rotations: rotationLines(epochs), links };
}

function noSuchRange({ size }: LedgerReader, from: number, to: number): LedgerError {
  const message = `${from}..${to} is no range of this log, whose head covers ${size} lines; it ends before the second`;
  return new LedgerError('NO_SUCH_ENTRY', message);
}

async function linesOfTrace(
  reader: LedgerReader,
  { from, to, trace, signal }: { from: number; to: number; trace: string; signal: AbortSignal | undefined },
): Promise<readonly number[]> {
  const choice = new TraceLines(trace, reader.genesis, await createHashFunction(reader.genesis.hash));
  let seen = 0;
  for await (const bytes of reader.lines(from, to)) {
    choice.take(bytes);
    seen += 1;
    if (seen % BREATHE_LINES !== 0) continue;
    signal?.throwIfAborted();
    await breathe();
  }
  return choice.finish();
}

const NEWLINE = Uint8Array.of(0x0a);

async function withNewlines(reader: LedgerReader, shown: readonly number[]): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for (const seq of shown) {
    const line = await reader.line(seq);
    bytes += line.length + 1;
    if (bytes > MAX_SHOWN_BYTES) {
      const message = `the shown lines are over ${MAX_SHOWN_BYTES} bytes; choose a smaller range, or use evidence export`;
      throw new LedgerError('RANGE_TOO_LARGE', message);
    }
    parts.push(line, NEWLINE);
  }
  return concatBytes(...parts);
}

import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BUNDLE_PAYLOAD_TYPE, MAX_ENVELOPE, MAX_INDEX_BYTES } from '../bundle/format.ts';
import { type IndexEntry, parseIndex } from '../bundle/index-lines.ts';
import { type BundleStatement, parseStatement } from '../bundle/statement.ts';
import { encodeHex } from '../core/bytes.ts';
import { type Digest, sha256 } from '../core/digest.ts';
import { parseEnvelope, payloadDigest } from '../core/dsse.ts';
import { DaemonEyeError } from '../core/errors.ts';
import { encodeCanonicalJson, parseCanonicalJson } from '../core/jcs.ts';
import type { Json } from '../core/strict-json.ts';
import { durableErrorFrom, errnoOf } from '../durable/errors.ts';
import { readPlainFile } from '../ledger/scan-io.ts';

/**
 * What lies beside the blobs of an interrupted apply, so that a person can be told what it is and what is lacking.
 * Nothing is decided by it: the next apply verifies the bundle from its envelope on. So it is not made durable either; what
 * a power cut tore is not told.
 */
const ENVELOPE = '.envelope';
const INDEX = '.index';
const VOLUMES = '.volumes';
const NOTES: ReadonlySet<string> = new Set([ENVELOPE, INDEX, VOLUMES]);

/** A set has no more; file systems have no longer names. */
const MAX_VOLUMES = 9999;
const MAX_NAME = 1024;
const MAX_VOLUMES_BYTES = 1024 * 1024;

/** What was read of the bundle and verified before its first blob. */
export type PartialHead = { readonly envelope: Uint8Array; readonly index: Uint8Array };

export type PartialNotes = {
  readonly statement: BundleStatement;
  readonly entries: readonly IndexEntry[];
  /** Names of the files that were read to their end, by all runs so far. */
  readonly volumes: readonly string[];
};

export function isNoteName(name: string): boolean {
  return NOTES.has(name);
}

/** @throws DurableError */
export function noteHead(directory: string, { envelope, index }: PartialHead): void {
  replace(join(directory, ENVELOPE), envelope);
  replace(join(directory, INDEX), index);
}

/** Adds to those of earlier runs. @throws DurableError */
export function noteVolumes(directory: string, names: readonly string[]): void {
  const plain = names.map((name) => name.toWellFormed()).filter((name) => name !== '' && name.length <= MAX_NAME);
  const all = new Set([...readVolumes(directory), ...plain]);
  const bytes = encodeCanonicalJson([...all].slice(0, MAX_VOLUMES));
  if (bytes.length <= MAX_VOLUMES_BYTES) replace(join(directory, VOLUMES), bytes);
}

/** @returns undefined unless it is of the bundle with this payload, whole; what is not ours to read is passed over */
export function readNotes(directory: string, payload: Digest): PartialNotes | undefined {
  const notes = orNothing(() => {
    const envelope = parseEnvelope(readPlainFile(join(directory, ENVELOPE), MAX_ENVELOPE), BUNDLE_PAYLOAD_TYPE);
    if (payloadDigest(envelope) !== payload) return undefined;
    const statement = parseStatement(envelope.payload);
    const { lines, sha256: signed } = statement.index;
    const index = readPlainFile(join(directory, INDEX), MAX_INDEX_BYTES);
    if (encodeHex(sha256(index)) !== signed) return undefined;
    return { statement, entries: parseIndex(index, { lines, bytes: statement.bytes }) };
  });
  return notes && { ...notes, volumes: readVolumes(directory) };
}

function readVolumes(directory: string): readonly string[] {
  const names = orNothing(() => {
    const json = parseCanonicalJson(readPlainFile(join(directory, VOLUMES), MAX_VOLUMES_BYTES));
    return isListOfNames(json) ? json : undefined;
  });
  return names ?? [];
}

function isListOfNames(json: Json): json is readonly string[] {
  if (!Array.isArray(json) || json.length > MAX_VOLUMES) return false;
  return json.every((name) => typeof name === 'string' && name !== '' && name.length <= MAX_NAME);
}

function orNothing<T>(read: () => T | undefined): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof DaemonEyeError || errnoOf(error) !== undefined) return undefined;
    throw error;
  }
}

function replace(path: string, bytes: Uint8Array): void {
  try {
    // A link that somebody put there goes, and what it points to stays.
    rmSync(path, { force: true });
    writeFileSync(path, bytes, { mode: 0o600, flag: 'wx' });
  } catch (cause) {
    throw durableErrorFrom(cause, 'write', path);
  }
}

import { existsSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { MAX_ROOT_BYTES, ROOT_PAYLOAD_TYPE } from '../bundle/format.ts';
import { type Envelope, encodeEnvelope, parseEnvelope, signEnvelope } from '../core/dsse.ts';
import { encodeCanonicalJson } from '../core/jcs.ts';
import type { PrivateKey } from '../core/keys.ts';
import { parseStrictJson } from '../core/strict-json.ts';
import { escapeForTerminal } from '../core/terminal-text.ts';
import { createDirectoryDurably, writeFileDurably } from '../durable/files-io.ts';
import { verifyRootChain } from '../verify/root-chain.ts';
import type { RootDocument, TrustRoot } from '../verify/root-document.ts';
import { finishRoot, mergeSignatures, sealDraft } from '../verify/root-draft.ts';
import { parseRootDocument } from '../verify/trust-root.ts';
import { CliError } from './errors.ts';
import { readInputFile } from './files-io.ts';

/**
 * The publisher's directory for a trust root: `<n>.root.dsse.json` for each finished version, and while the next one
 * is being made `draft.json` (to be edited by commands) and, from the first signature on, `draft.root.dsse.json`.
 */
const DRAFT = 'draft.json';
const SIGNING = 'draft.root.dsse.json';
const FINISHED = /^([1-9][0-9]*)\.root\.dsse\.json$/;

/** The finished chain, verified. @throws VerifyError when it doesn't hold together */
export function readChain(directory: string): readonly TrustRoot[] {
  const files = chainFiles(directory);
  return files.length === 0 ? [] : verifyRootChain(files);
}

/** The finished versions as files, in order. */
export function chainFiles(directory: string): { readonly version: number; readonly bytes: Uint8Array }[] {
  if (!existsSync(directory)) return [];
  return readdirSync(directory)
    .map((name) => Number(FINISHED.exec(name)?.[1]))
    .filter((version) => !Number.isNaN(version))
    .sort((a, b) => a - b)
    .map((version) => ({ version, bytes: readRootFile(join(directory, `${version}.root.dsse.json`)) }));
}

function readRootFile(path: string): Uint8Array {
  return readInputFile(path, { maxBytes: MAX_ROOT_BYTES });
}

/** Starts a draft. @throws CliError FILE_EXISTS when one is under way */
export function startDraft(directory: string, draft: RootDocument): void {
  if (existsSync(join(directory, DRAFT))) {
    throw new CliError('FILE_EXISTS', `a draft is under way in ${escapeForTerminal(directory)}: finish or remove it`);
  }
  createDirectoryDurably(directory, { mode: 0o755 });
  writeDraft(directory, draft);
}

/**
 * Changes the draft. Signatures given so far are for the old text, so they are dropped.
 * @returns whether signatures were dropped
 * @throws CliError FILE_NOT_FOUND without a draft
 */
export function changeDraft(directory: string, change: (draft: RootDocument) => RootDocument): boolean {
  writeDraft(directory, change(readDraft(directory)));
  const signing = join(directory, SIGNING);
  if (!existsSync(signing)) return false;
  rmSync(signing);
  return true;
}

export function readDraft(directory: string): RootDocument {
  const path = join(directory, DRAFT);
  // Not yet through the schema: a draft without keys is no root, but a draft all the same.
  return parseStrictJson(readInputFile(path, { maxBytes: MAX_ROOT_BYTES })) as RootDocument;
}

function writeDraft(directory: string, draft: RootDocument): void {
  writeFileDurably(join(directory, DRAFT), encodeCanonicalJson(draft), { mode: 0o644 });
}

/**
 * Signs the draft in a directory, or a copy of its envelope that was carried elsewhere.
 * @param path directory or envelope file
 * @returns the file that now holds the signature, and what it holds
 * @throws VerifyError when the draft isn't a sound root yet
 */
export function signDraft(path: string, key: PrivateKey): { readonly file: string; readonly envelope: Envelope } {
  const isDirectory = statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
  const file = isDirectory ? join(path, SIGNING) : path;
  const unsigned = isDirectory && !existsSync(file) ? sealDraft(readDraft(path)) : readEnvelope(file);
  // Whoever signs a copy must be signing a sound root, not whatever the file says.
  sealDraft(parseRootDocument(unsigned.payload));
  const envelope = signEnvelope(unsigned, key);
  writeFileDurably(file, encodeEnvelope(envelope), { mode: 0o644 });
  return { file, envelope };
}

function readEnvelope(path: string): Envelope {
  return parseEnvelope(readRootFile(path), ROOT_PAYLOAD_TYPE, MAX_ROOT_BYTES);
}

/**
 * Gathers the signatures (also from copies) and makes the next version of the chain.
 * @returns the file written
 * @throws VerifyError below a threshold; CliError FILE_NOT_FOUND when nobody has signed
 */
export function finishDraft(
  directory: string,
  copies: readonly string[],
): { readonly file: string; readonly version: number } {
  const own = join(directory, SIGNING);
  const [first, ...others] = [...(existsSync(own) ? [own] : []), ...copies].map(readEnvelope);
  if (first === undefined) {
    throw new CliError('FILE_NOT_FOUND', `nobody has signed the draft in ${escapeForTerminal(directory)} yet`);
  }
  const merged = mergeSignatures(first, others);
  const document = parseRootDocument(merged.payload);
  const previous = readChain(directory).at(-1);
  if (document.version !== (previous?.version ?? 0) + 1) {
    const message = `the draft is version ${document.version}, but the chain ends at ${previous?.version ?? 0}`;
    throw new CliError('FILE_EXISTS', message);
  }
  const finished = finishRoot(merged, document, previous);
  const file = join(directory, `${document.version}.root.dsse.json`);
  writeFileDurably(file, encodeEnvelope(finished), { mode: 0o644 });
  for (const leftover of [SIGNING, DRAFT]) rmSync(join(directory, leftover), { force: true });
  return { file, version: document.version };
}

import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { MAX_ROOT_BYTES, ROOT_PAYLOAD_TYPE } from '../bundle/format.ts';
import { equalBytes } from '../core/bytes.ts';
import { type Envelope, encodeEnvelope, mergeSignatures, parseEnvelope, payloadDigest } from '../core/dsse.ts';
import { CoreError } from '../core/errors.ts';
import { encodeCanonicalJson } from '../core/jcs.ts';
import { validateSchema } from '../core/schema.ts';
import { parseStrictJson } from '../core/strict-json.ts';
import { escapeForTerminal } from '../core/terminal-text.ts';
import { createDirectoryDurably, writeFileDurably } from '../durable/files-io.ts';
import { DRAFT_SCHEMA } from '../verify/draft-schema.ts';
import type { DroppedRevocations } from '../verify/dropped-revocations.ts';
import { verifyRootChain } from '../verify/root-chain.ts';
import type { RootDocument, TrustRoot } from '../verify/root-document.ts';
import { finishRoot } from '../verify/root-draft.ts';
import { parseRoot, parseRootDocument } from '../verify/trust-root.ts';
import { CliError, usageError } from './errors.ts';
import { isDirectory, readInputFile } from './files-io.ts';
import { removeUnpinned } from './pinned-workspace-io.ts';
import { assertRevocationsKept } from './taken-back.ts';

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
    .map((version) => ({ version, bytes: readRootFile(finishedFile(directory, version)) }));
}

/** Where a finished version lies in a workspace. */
export function finishedFile(directory: string, version: number): string {
  return join(directory, `${version}.root.dsse.json`);
}

/** Where the signatures of a draft are gathered in a workspace. */
export function signingFile(directory: string): string {
  return join(directory, SIGNING);
}

function readRootFile(path: string): Uint8Array {
  return readInputFile(path, { maxBytes: MAX_ROOT_BYTES });
}

/**
 * The trust root that a person names: a file, or a directory for its newest finished version. Nothing says yet that it
 * can be trusted. @throws CliError FILE_NOT_FOUND and as `readInputFile`; VerifyError as `parseRoot`
 */
export function readTrustRoot(path: string): TrustRoot {
  if (!isDirectory(path)) return parseRoot(readRootFile(path));
  const newest = readChain(path).at(-1);
  if (newest === undefined) throw noFinishedRoot(path);
  return newest;
}

/** The chain that a bundle carries. @throws CliError FILE_NOT_FOUND when there is none; VerifyError */
export function readChainToCarry(directory: string): readonly Uint8Array[] {
  const files = chainFiles(directory);
  if (files.length === 0) throw noFinishedRoot(directory);
  verifyRootChain(files);
  return files.map(({ bytes }) => bytes);
}

function noFinishedRoot(directory: string): CliError {
  const message = `there is no finished trust root in ${escapeForTerminal(directory)}; see daemoneye trust finish`;
  return new CliError('FILE_NOT_FOUND', message);
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
 * @throws CliError FILE_NOT_FOUND without a draft, USAGE_VALUE when no draft can hold that
 */
export function changeDraft(directory: string, change: (draft: RootDocument) => RootDocument): boolean {
  return writeDraft(directory, change(readDraft(directory)));
}

/** The draft under way. @throws CliError as `readInputFile`; CoreError naming the file */
export function readDraft(directory: string): RootDocument {
  const path = join(directory, DRAFT);
  const bytes = readRootFile(path);
  try {
    return validateSchema<RootDocument>(DRAFT_SCHEMA, parseStrictJson(bytes));
  } catch (cause) {
    if (!(cause instanceof CoreError)) throw cause;
    throw new CoreError(cause.code, `${escapeForTerminal(path)} is not a draft: ${cause.message}`, { cause });
  }
}

function writeDraft(directory: string, draft: RootDocument): boolean {
  const bytes = encodeCanonicalJson(draft);
  try {
    validateSchema(DRAFT_SCHEMA, parseStrictJson(bytes));
  } catch (cause) {
    if (!(cause instanceof CoreError)) throw cause;
    throw Object.assign(usageError('USAGE_VALUE', `no trust root can hold that: ${cause.message}`), { cause });
  }
  const signing = signingFile(directory);
  const hadSignatures = existsSync(signing);
  // First: cut off in between, signatures must not stand beside a draft they aren't for.
  if (hadSignatures) rmSync(signing);
  writeFileDurably(join(directory, DRAFT), bytes, { mode: 0o644 });
  return hadSignatures;
}

/** The envelope of a draft or a root, its payload not looked at. @throws CliError as `readInputFile`; CoreError */
export function readRootEnvelope(path: string): Envelope {
  return parseEnvelope(readRootFile(path), ROOT_PAYLOAD_TYPE, MAX_ROOT_BYTES);
}

/**
 * What was signed is what the draft says now, if the directory has one: it may have been edited since, and a copy may
 * come back from an earlier draft. @throws CliError DRAFT_STALE
 */
export function assertOfDraft(directory: string, path: string, envelope: Envelope): void {
  if (!existsSync(join(directory, DRAFT))) return;
  if (equalBytes(encodeCanonicalJson(readDraft(directory)), envelope.payload)) return;
  const [copy, draft] = [path, join(directory, DRAFT)].map(escapeForTerminal);
  const message = `${copy} was signed over another draft than ${draft}; remove it and have the draft signed`;
  throw new CliError('DRAFT_STALE', message);
}

/**
 * Gathers the signatures (also from copies) and makes the next version of the chain.
 * @param mayDrop whether it may take back revocations of the version before
 * @returns the version, the file it is in, and what it takes back
 * @throws VerifyError below a threshold; CliError FILE_NOT_FOUND when nobody has signed, DRAFT_STALE, REVOCATION_DROPPED
 */
export function finishDraft(
  directory: string,
  copies: readonly string[],
  mayDrop: boolean,
): { readonly file: string; readonly root: TrustRoot; readonly dropped: DroppedRevocations | undefined } {
  const own = signingFile(directory);
  if (!existsSync(own) && !existsSync(join(directory, DRAFT))) {
    throw new CliError('FILE_NOT_FOUND', `no draft is under way in ${escapeForTerminal(directory)}`);
  }
  const paths = [...(existsSync(own) ? [own] : []), ...copies];
  const [first, ...others] = paths.map((path) => {
    const envelope = readRootEnvelope(path);
    assertOfDraft(directory, path, envelope);
    return envelope;
  });
  if (first === undefined) {
    throw new CliError('FILE_NOT_FOUND', `nobody has signed the draft in ${escapeForTerminal(directory)} yet`);
  }
  const { root, dropped } = finishedRoot(directory, mergeSignatures(first, others), mayDrop);
  const file = finishedFile(directory, root.version);
  if (!existsSync(file)) writeFileDurably(file, encodeEnvelope(root.envelope), { mode: 0o644 });
  for (const leftover of [SIGNING, DRAFT]) rmSync(join(directory, leftover), { force: true });
  removeUnpinned(directory, [root.document]);
  return { file, root, dropped };
}

function finishedRoot(
  directory: string,
  signed: Envelope,
  mayDrop: boolean,
): { readonly root: TrustRoot; readonly dropped: DroppedRevocations | undefined } {
  const newest = readChain(directory).at(-1);
  // Cut off before the draft was removed: it is finished.
  if (newest !== undefined && newest.digest === payloadDigest(signed)) return { root: newest, dropped: undefined };
  const document = parseRootDocument(signed.payload);
  const last = newest?.version ?? 0;
  if (document.version !== last + 1) {
    const message = `the draft is for version ${document.version}, but the newest finished one is ${last}; start anew`;
    throw new CliError('DRAFT_STALE', message);
  }
  const root = parseRoot(encodeEnvelope(finishRoot(signed, document, newest)));
  return { root, dropped: assertRevocationsKept(newest?.document, document, mayDrop) };
}

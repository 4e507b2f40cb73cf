import { mkdirSync, rmSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { type Digest, sha256Digest } from '../../core/digest.ts';
import { type Envelope, encodeEnvelope, payloadDigest, signEnvelope } from '../../core/dsse.ts';
import { encodeCanonicalJson } from '../../core/jcs.ts';
import type { PrivateKey, PublicKey } from '../../core/keys.ts';
import { countShown } from '../../core/range-proof.ts';
import { escapeForTerminal } from '../../core/terminal-text.ts';
import type { Time } from '../../core/time.ts';
import { durableErrorFrom } from '../../durable/errors.ts';
import { temporaryName } from '../../durable/files-io.ts';
import { proveEpochLinks } from '../../ledger/epoch-links.ts';
import { encodeRangeDocument } from '../../ledger/range-document.ts';
import type { LedgerReader } from '../../ledger/reader-io.ts';
import { rotationLines } from '../../ledger/rotation.ts';
import { parseEnrolmentEnvelope } from '../../verify/enrolment.ts';
import { parseEnrolmentPayload } from '../../verify/enrolment-document.ts';
import { ForensicsError } from '../errors.ts';
import { type FileFact, factOf, tagFilesOf } from './bag.ts';
import { type Chosen, chooseRanges, chooseTrace, type LogRange } from './choose-io.ts';
import { PACKAGE_NAME, SEAL_NAME, SEAL_PAYLOAD_TYPE, TAGMANIFEST_NAME } from './format.ts';
import { bagName, describeLog, enrolmentPath, logPath, parseBagName, schemaPath } from './layout.ts';
import { LogSource } from './log-source-io.ts';
import { assertNew, type PackMember, packTar, writeLines } from './pack-io.ts';
import { encodePackage, type PackageDocument, type PackagedLog } from './package-document.ts';
import { EMBEDDED_SCHEMAS } from './schemas.ts';

export type ExportOptions = {
  /** Directories of logs, of this host or copied from others. */
  readonly logs: readonly string[];
  /** All of one trace and what explains it, or every line of some ranges. */
  readonly what: { readonly trace: string } | { readonly ranges: readonly LogRange[] };
  /** Enrolments to take along: those of the exported hosts, and of the operator who seals. Others stay behind. */
  readonly enrolments: readonly Uint8Array[];
  /** Seals the package: a key that holds `evidence`, or that a log in the package has; then chosen by these logs. */
  readonly key: PrivateKey | ((logs: readonly ExportedLog[]) => PrivateKey);
  /** Lower-case letters, digits and dashes. */
  readonly case: string;
  readonly number: number;
  readonly createdAt: Time;
  readonly builder: { readonly name: string; readonly version: string };
  readonly reason?: string;
  /** The tar to write; must not exist. */
  readonly out: string;
  readonly signal?: AbortSignal;
};

export type ExportedLog = {
  /** As it was given. */
  readonly directory: string;
  /** The log's key, as of its newest entry in the package. */
  readonly key: PublicKey;
};

export type Exported = {
  readonly file: string;
  /** Of the tar, hex; what `sha256sum` prints. */
  readonly sha256: string;
  readonly bytes: number;
  /** Digest of the tagmanifest: the identity of the package. */
  readonly digest: Digest;
  readonly document: PackageDocument;
};

/**
 * Exports lines of logs, with the proofs of where they stand, as one sealed evidence package. The same logs and options
 * give the same bytes. The file appears under its name complete and durable, or not at all.
 * @throws ForensicsError TRACE_NOT_FOUND, TRACE_NOT_WHOLE, TRACE_LINE_UNSIGNED, NOTHING_SELECTED, EXPORT_INPUT,
 *   LOG_DAMAGED or OUTPUT_EXISTS; LedgerError; ArchiveError where a name does not fit a tar; DurableError
 */
export async function exportEvidence(options: ExportOptions): Promise<Exported> {
  const { logs, what, signal } = options;
  const out = resolve(options.out);
  const name = bagName(options.case, options.number);
  if (parseBagName(name) === undefined) {
    throw new ForensicsError('EXPORT_INPUT', 'a case is lower-case letters, digits and dashes; a number is from 1');
  }
  assertNew(out);
  using sources = new DisposableStack();
  const opened: LogSource[] = [];
  for (const directory of logs) opened.push(sources.use(await LogSource.open(directory)));
  assertDistinct(opened);
  const chosen = 'trace' in what ? await chooseTrace(opened, what.trace, signal) : chooseRanges(opened, what.ranges);
  const sealed = { ...options, key: sealingKey(options, chosen) };
  const scratch = temporaryName(join(dirname(out), `${name}.parts`));
  try {
    mkdirSync(scratch, { mode: 0o700 });
    return await writePackage(sealed, name, out, chosen, scratch);
  } catch (cause) {
    throw cause instanceof Error && 'syscall' in cause ? durableErrorFrom(cause, 'write', out) : cause;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

type SealedExport = ExportOptions & { readonly key: PrivateKey };

function sealingKey({ key }: ExportOptions, chosen: readonly Chosen[]): PrivateKey {
  if (typeof key !== 'function') return key;
  return key(chosen.map(({ source }) => ({ directory: source.directory, key: source.key })));
}

async function writePackage(
  options: SealedExport,
  name: string,
  out: string,
  chosen: readonly Chosen[],
  scratch: string,
): Promise<Exported> {
  const documents = new Map<string, Uint8Array>();
  const lines = new Map<string, FileFact & { readonly file: string }>();
  const packaged: { host: string; log: PackagedLog }[] = [];
  for (const [i, { source, selection }] of chosen.entries()) {
    options.signal?.throwIfAborted();
    const { place, genesis, reader } = source;
    const range = await source.prove(selection);
    const file = join(scratch, String(i));
    const fact = await writeLines(file, reader, selection.shown);
    lines.set(logPath(place, 'lines'), { ...fact, file });
    documents.set(logPath(place, 'genesis'), source.genesisBytes);
    documents.set(logPath(place, 'range'), encodeRangeDocument(range));
    documents.set(logPath(place, 'checkpoint'), reader.head.note);
    const { origin, hash, digest } = genesis;
    const { size, from, to } = range;
    const shown = countShown(range);
    const counts = { size, from, to, lines: shown, withheld: to - from - shown, bytes: fact.size };
    const rotations = reader.epochs.length === 1 ? {} : await rotationsOf(reader);
    packaged.push({
      host: place.host,
      log: { log: place.log, origin, genesis: digest, hash, ...counts, ...rotations },
    });
  }
  const enrolments = relevantEnrolments(options, new Set(packaged.map(({ host }) => host)));
  for (const [digest, bytes] of enrolments) documents.set(enrolmentPath(digest.slice('sha256:'.length)), bytes);
  for (const [schema, json] of Object.entries(EMBEDDED_SCHEMAS)) {
    documents.set(schemaPath(schema), encodeCanonicalJson(json));
  }
  const document = describe(options, packaged, [...enrolments.keys()]);
  documents.set(PACKAGE_NAME, encodePackage(document));
  const payload = new Map<string, FileFact>([...lines]);
  for (const [path, bytes] of documents) payload.set(path, factOf(bytes));
  const tags = tagFilesOf(document, payload);
  const tagmanifest = tags.get(TAGMANIFEST_NAME) ?? new Uint8Array();
  const members: PackMember[] = [
    ...[...documents, ...tags].map(([path, bytes]) => ({ path, bytes })),
    { path: SEAL_NAME, bytes: sealOf(tagmanifest, options.key) },
    ...[...lines].map(([path, { file, size }]) => ({ path, file, size })),
  ];
  const packed = await packTar(out, name, members);
  return { file: options.out, ...packed, digest: sha256Digest(tagmanifest), document };
}

function describe(
  { case: caseName, number, createdAt, builder, reason, what }: ExportOptions,
  packaged: readonly { readonly host: string; readonly log: PackagedLog }[],
  enrolments: readonly Digest[],
): PackageDocument {
  const hosts = [...new Set(packaged.map(({ host }) => host))].sort();
  const logsOf = (host: string) => packaged.filter((one) => one.host === host).map(({ log }) => log);
  return {
    v: 1,
    case: caseName,
    number,
    createdAt,
    builder,
    ...(reason === undefined ? {} : { reason }),
    ...('trace' in what ? { trace: what.trace } : {}),
    hosts: hosts.map((host) => ({ host, logs: logsOf(host).sort((a, b) => (a.log < b.log ? -1 : 1)) })),
    enrolments: [...enrolments].sort(),
    schemas: Object.keys(EMBEDDED_SCHEMAS).sort(),
  };
}

/** A package names places by host and log; logs copied from elsewhere may collide there. */
function assertDistinct(sources: readonly LogSource[]): void {
  const names = sources.map(({ place }) => describeLog(place));
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) {
    throw new ForensicsError('EXPORT_INPUT', `${escapeForTerminal(twice)} is given twice, or two logs are called so`);
  }
}

function relevantEnrolments({ enrolments, key }: SealedExport, hosts: ReadonlySet<string>): Map<Digest, Uint8Array> {
  const relevant = new Map<Digest, Uint8Array>();
  for (const bytes of enrolments) {
    const envelope = parseEnrolmentEnvelope(bytes);
    const { logs, operator } = parseEnrolmentPayload(envelope.payload);
    const isSealer = operator?.keys.some(({ keyid }) => keyid === key.publicKey.keyid) === true;
    if (isSealer || logs.some(({ host }) => hosts.has(host))) relevant.set(payloadDigest(envelope), bytes);
  }
  return relevant;
}

function sealOf(tagmanifest: Uint8Array, key: PrivateKey): Uint8Array {
  const unsigned: Envelope = { payloadType: SEAL_PAYLOAD_TYPE, payload: tagmanifest, signatures: [] };
  return encodeEnvelope(signEnvelope(unsigned, key));
}

async function rotationsOf(reader: LedgerReader): Promise<Pick<PackagedLog, 'rotations' | 'links'>> {
  const { epochs, size } = reader;
  const links = await proveEpochLinks(epochs, size, (a, b) => reader.proveConsistency(a, b));
  return { rotations: rotationLines(epochs), links };
}

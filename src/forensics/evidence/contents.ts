import { encodeHex, equalBytes } from '../../core/bytes.ts';
import { parseDigest } from '../../core/digest.ts';
import { payloadDigest } from '../../core/dsse.ts';
import { countShown } from '../../core/range-proof.ts';
import type { Epochs } from '../../ledger/epochs.ts';
import { type Genesis, parseGenesis } from '../../ledger/genesis.ts';
import { parseRangeDocument, type RangeDocument } from '../../ledger/range-document.ts';
import { epochsFromLines } from '../../ledger/rotation.ts';
import { parseEnrolmentEnvelope } from '../../verify/enrolment.ts';
import { type ForensicsError, untrusted } from '../errors.ts';
import { encodeBagInfo, type FileFacts, payloadOf } from './bag.ts';
import { BAG_INFO_NAME, LOG_FILES, type LogFile, PACKAGE_NAME } from './format.ts';
import { bagName, describeLog, enrolmentPath, type LogPlace, logPath, partOf, schemaPath } from './layout.ts';
import { type PackageDocument, type PackagedLog, parsePackage } from './package-document.ts';

/** The bytes of every file but lines.ndjson, by path below the bag. */
export type Documents = ReadonlyMap<string, Uint8Array>;

/** A log as the package holds it: parsed and agreeing with itself, believed by nobody yet. */
export type PackageLog = {
  readonly place: LogPlace;
  readonly packaged: PackagedLog;
  readonly genesis: Genesis;
  readonly epochs: Epochs;
  readonly range: RangeDocument;
  /** The signed note, verbatim. */
  readonly checkpoint: Uint8Array;
};

export type Contents = { readonly document: PackageDocument; readonly logs: readonly PackageLog[] };

/** No line of a log is shorter; bounds what a hostile count can make us reserve. */
const MIN_LINE_BYTES = 150;

/**
 * Whether package.json tells exactly what the package holds: logs, counts, enrolments, schemas, no more and no less.
 * @param name of the directory in the tar; undefined where people may have renamed it
 * @throws ForensicsError PACKAGE_MALFORMED, PACKAGE_MISMATCH or RANGE_PROOF_MALFORMED; LedgerError GENESIS_MALFORMED or
 *   GENESIS_SIGNATURE; EnrolmentError
 */
export function openContents(files: FileFacts, documents: Documents, name: string | undefined): Contents {
  const document = parsePackage(need(documents, PACKAGE_NAME));
  const own = bagName(document.case, document.number);
  if (name !== undefined && name !== own) throw mismatch(`the directory in the archive is not called ${own}`);
  assertListing(document, files, documents);
  const listed = document.hosts.flatMap(({ host, logs }) => logs.map((packaged) => ({ host, packaged })));
  if (new Set(listed.map(({ packaged }) => packaged.origin)).size !== listed.length) {
    throw mismatch('package.json lists one log twice');
  }
  const logs = listed.map(({ host, packaged }) => openLog({ host, log: packaged.log }, packaged, files, documents));
  return { document, logs };
}

/** Exactly the files that the package document asks for are there. */
function assertListing(document: PackageDocument, files: FileFacts, documents: Documents): void {
  const kinds = Object.keys(LOG_FILES) as LogFile[];
  const expected = [
    PACKAGE_NAME,
    ...document.hosts.flatMap(({ host, logs }) =>
      logs.flatMap(({ log }) => kinds.map((file) => logPath({ host, log }, file))),
    ),
    ...document.enrolments.map((digest) => enrolmentPath(encodeHex(parseDigest(digest).hash))),
    ...document.schemas.map(schemaPath),
  ];
  const payload = payloadOf(files);
  const missing = expected.find((path) => !payload.has(path));
  if (missing !== undefined) throw mismatch(`package.json speaks of ${missing}, which is not there`);
  if (new Set(expected).size !== expected.length) throw mismatch('package.json lists something twice');
  const surplus = [...payload.keys()].find((path) => !expected.includes(path));
  if (surplus !== undefined) throw mismatch(`${surplus} is there, and package.json doesn't speak of it`);
  for (const digest of document.enrolments) {
    const path = enrolmentPath(encodeHex(parseDigest(digest).hash));
    if (payloadDigest(parseEnrolmentEnvelope(need(documents, path))) !== digest) {
      throw mismatch(`${path} is not the enrolment that its name says`);
    }
  }
  if (!equalBytes(need(documents, BAG_INFO_NAME), encodeBagInfo(document, payload))) {
    throw mismatch(`${BAG_INFO_NAME} does not say what package.json says`);
  }
}

function openLog(place: LogPlace, packaged: PackagedLog, files: FileFacts, documents: Documents): PackageLog {
  const genesis = parseGenesis(need(documents, logPath(place, 'genesis')));
  const range = parseRangeDocument(need(documents, logPath(place, 'range')));
  const { origin, hash, size, from, to, lines, withheld, bytes } = packaged;
  const agrees =
    genesis.host === place.host &&
    genesis.digest === packaged.genesis &&
    [genesis, range].every((part) => part.origin === origin && part.hash === hash) &&
    range.size === size &&
    range.from === from &&
    range.to === to;
  if (!agrees) throw mismatch(`${describeLog(place)} is not the one that package.json describes`);
  if (
    countShown(range) !== lines ||
    to - from - lines !== withheld ||
    files.get(logPath(place, 'lines'))?.size !== bytes
  ) {
    throw mismatch(`package.json counts other lines, withheld lines or bytes than ${describeLog(place)} has`);
  }
  if (lines * MIN_LINE_BYTES > bytes)
    throw mismatch(`${describeLog(place)} can't have ${lines} lines in ${bytes} bytes`);
  const epochs = epochsFromLines(packaged.rotations ?? [], genesis);
  return { place, packaged, genesis, epochs, range, checkpoint: need(documents, logPath(place, 'checkpoint')) };
}

/** The directories of logs that there are, whatever any document says. */
export function placesIn(files: FileFacts): LogPlace[] {
  return [...files.keys()].flatMap((path) => {
    const part = partOf(path);
    return part.kind === 'log' && part.file === 'lines' ? [{ host: part.host, log: part.log }] : [];
  });
}

/** The enrolments that travelled along. */
export function enrolmentsIn(documents: Documents): Uint8Array[] {
  return [...documents].filter(([path]) => partOf(path).kind === 'enrolment').map(([, bytes]) => bytes);
}

function need(documents: Documents, path: string): Uint8Array {
  const bytes = documents.get(path);
  if (bytes === undefined) throw mismatch(`${path} is missing`);
  return bytes;
}

function mismatch(problem: string): ForensicsError {
  return untrusted('PACKAGE_MISMATCH', problem);
}

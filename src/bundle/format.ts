import { MAX_ENVELOPE_BYTES } from '../core/dsse.ts';

export { MAX_COMPONENT, MAX_DEPTH, MAX_PATH } from '../archive/path-rules.ts';

/** in-toto Statement v1 (https://github.com/in-toto/attestation, spec/v1/statement.md). */
export const STATEMENT_TYPE = 'https://in-toto.io/Statement/v1';
export const PREDICATE_TYPE = 'urn:daemoneye:bundle:v1';
export const BUNDLE_PAYLOAD_TYPE = 'application/vnd.in-toto+json';
export const ROOT_PAYLOAD_TYPE = 'application/vnd.daemoneye.root+json';

/** A kind is registered in docs/formats.md before it appears here; any other is refused. */
export const BUNDLE_KINDS = ['rules', 'update', 'config', 'trust'] as const;
export type BundleKind = (typeof BUNDLE_KINDS)[number];

export function isBundleKind(kind: string): kind is BundleKind {
  return (BUNDLE_KINDS as readonly string[]).includes(kind);
}

export const ENVELOPE_NAME = 'bundle.dsse.json';
export const INDEX_NAME = 'index.jsonl';
export const ROOT_DIRECTORY = 'root';
export const BLOBS_DIRECTORY = 'blobs';
/** Inside {@link BLOBS_DIRECTORY}: the hash that names the blobs. */
export const BLOBS_HASH = 'sha256';

/** What precedes the index is bounded by fixed caps; the statement bounds the index, the index everything else. */
export const MAX_ENVELOPE = MAX_ENVELOPE_BYTES;
export const MAX_ROOTS = 256;
export const MAX_ROOT_BYTES = 512 * 1024;
export const MAX_INDEX_BYTES = 256 * 1024 * 1024;
/** One line of the index, newline not counted; enough for the chunks of a 2 TiB file. */
export const MAX_INDEX_LINE_BYTES = 4 * 1024 * 1024;
/** A file over this many bytes is stored as chunks of exactly this size and a shorter last one. */
export const CHUNK = 64 * 1024 * 1024;

/** Largest file that an attestation may name: a signature, a sigstore bundle, a list of checksums, a trusted root. */
export const MAX_MATERIAL_BYTES = 16 * 1024 * 1024;

/** Files of a bundle of kind update that `bundle build` writes, and the content check holds to the others. */
export const SBOM_PATH = 'bundle.cdx.json';
export const PROVENANCE_PATH = 'bundle.intoto.json';
/** Of either. */
export const MAX_DOCUMENT_BYTES = MAX_MATERIAL_BYTES;

const ROOT_FILE_NAME = /^([1-9][0-9]{0,5})\.root\.dsse\.json$/;
const BLOB_NAME = /^blobs\/sha256\/([0-9a-f]{64})$/;

/** A version of the trust root as a file: in a bundle's chain, a data directory, a publisher's workspace. */
export function rootFileName(version: number): string {
  return `${version}.root.dsse.json`;
}

/** The version in such a name; undefined for any other name, leading zeros included. */
export function parseRootFileName(name: string): number | undefined {
  const version = ROOT_FILE_NAME.exec(name)?.[1];
  return version === undefined ? undefined : Number(version);
}

/** Where version `version` of the trust root lies in a bundle. */
export function rootName(version: number): string {
  return `${ROOT_DIRECTORY}/${rootFileName(version)}`;
}

/** The version in such a name; undefined for any other name. */
export function parseRootName(name: string): number | undefined {
  const prefix = `${ROOT_DIRECTORY}/`;
  return name.startsWith(prefix) ? parseRootFileName(name.slice(prefix.length)) : undefined;
}

/** Where a blob lies in a bundle. @param sha256 64 lower-case hex digits */
export function blobName(sha256: string): string {
  return `${BLOBS_DIRECTORY}/${BLOBS_HASH}/${sha256}`;
}

/** The digest (hex) in such a name; undefined for any other name. */
export function parseBlobName(name: string): string | undefined {
  return BLOB_NAME.exec(name)?.[1];
}

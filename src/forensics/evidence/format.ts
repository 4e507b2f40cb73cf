/** Every magic value of the evidence package (docs/formats.md, "Evidence package"; BagIt 1.0 is RFC 8493). */

/** What is signed is tagmanifest-sha256.txt, byte for byte: it names the manifest, and the manifest every file. */
export const SEAL_PAYLOAD_TYPE = 'application/vnd.daemoneye.evidence.tagmanifest';

export const BAGIT_NAME = 'bagit.txt';
export const BAG_INFO_NAME = 'bag-info.txt';
export const MANIFEST_NAME = 'manifest-sha256.txt';
export const TAGMANIFEST_NAME = 'tagmanifest-sha256.txt';
export const FETCH_NAME = 'fetch.txt';
export const SEAL_NAME = 'signatures/seal.dsse.json';
export const PACKAGE_NAME = 'data/package.json';

/** RFC 8493 section 2.1.1. */
export const BAGIT_TEXT = 'BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n';

/** Files of one log in a package. */
export const LOG_FILES = {
  genesis: 'genesis.json',
  lines: 'lines.ndjson',
  range: 'range-proof.json',
  checkpoint: 'checkpoint',
} as const;
export type LogFile = keyof typeof LOG_FILES;

export const MAX_FILES = 4096;
/** Of everything but lines and range proofs. */
export const MAX_DOCUMENT_BYTES = 1024 * 1024;
/** The largest file that ustar holds, 8 GiB − 1. */
export const MAX_LINES_BYTES = 8 * 1024 * 1024 * 1024 - 1;

/** A package's own checks, in the order they are made and shown. */
export const EVIDENCE_CHECKS = [
  'container',
  'bag',
  'signatures',
  'package',
  'enrolment',
  'checkpoints',
  'ranges',
  'lines',
  'line-signatures',
  'trace',
  'custody',
] as const;
export type EvidenceCheckName = (typeof EVIDENCE_CHECKS)[number];

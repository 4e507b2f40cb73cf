import { compareUtf8, decodeUtf8, encodeHex, equalBytes, utf8 } from '../../core/bytes.ts';
import { sha256 } from '../../core/digest.ts';
import { escapeForTerminal } from '../../core/terminal-text.ts';
import { untrusted } from '../errors.ts';
import { BAG_INFO_NAME, BAGIT_NAME, BAGIT_TEXT, MANIFEST_NAME, SEAL_NAME, TAGMANIFEST_NAME } from './format.ts';
import type { PackageDocument } from './package-document.ts';

/** A file as it was found and copied: its length and the hex of its SHA-256. */
export type FileFact = { readonly size: number; readonly sha256: string };
/** By path below the bag. */
export type FileFacts = ReadonlyMap<string, FileFact>;

const PAYLOAD = 'data/';
const LINE = /^([0-9a-f]{64}) {2}([!-~]+)$/;

/** A manifest (RFC 8493 section 2.1.3), sorted by path, in the form that `sha256sum -c` reads. */
export function encodeManifest(files: FileFacts): Uint8Array {
  const paths = [...files.keys()].sort(compareUtf8);
  return utf8(paths.map((path) => `${files.get(path)?.sha256}  ${path}\n`).join(''));
}

/**
 * A manifest as {@link encodeManifest} writes it and no other way, by path.
 * @throws ForensicsError BAG_MALFORMED
 */
export function parseManifest(bytes: Uint8Array, name: string): ReadonlyMap<string, string> {
  const digests = new Map<string, string>();
  const lines = decodeUtf8(bytes).split('\n');
  if (lines.pop() !== '') throw untrusted('BAG_MALFORMED', `${name} does not end in a newline`);
  let previous = '';
  for (const line of lines) {
    const [, digest, path] = LINE.exec(line) ?? [];
    if (digest === undefined || path === undefined) throw untrusted('BAG_MALFORMED', `${name} has a malformed line`);
    if (compareUtf8(previous, path) >= 0) {
      throw untrusted('BAG_MALFORMED', `${name} lists ${escapeForTerminal(path)} twice or out of order`);
    }
    previous = path;
    digests.set(path, digest);
  }
  return digests;
}

/** bag-info.txt (RFC 8493 section 2.2.2): all of it follows from the package document and the payload. */
export function encodeBagInfo(document: PackageDocument, payload: FileFacts): Uint8Array {
  const bytes = [...payload.values()].reduce((sum, { size }) => sum + size, 0);
  const { createdAt, builder } = document;
  const lines = [
    `Bagging-Date: ${createdAt.slice(0, 10)}`,
    `External-Identifier: ${document.case}-${document.number}`,
    `Payload-Oxum: ${bytes}.${payload.size}`,
    `Bag-Software-Agent: ${builder.name} ${builder.version}`,
  ];
  return utf8(lines.map((line) => `${line}\n`).join(''));
}

/** The files under data/. */
export function payloadOf(files: FileFacts): FileFacts {
  return new Map([...files].filter(([path]) => path.startsWith(PAYLOAD)));
}

/** The tag files that make a bag of a payload. */
export function tagFilesOf(document: PackageDocument, payload: FileFacts): ReadonlyMap<string, Uint8Array> {
  const tags = new Map([
    [BAGIT_NAME, utf8(BAGIT_TEXT)],
    [BAG_INFO_NAME, encodeBagInfo(document, payload)],
    [MANIFEST_NAME, encodeManifest(payload)],
  ]);
  const facts = new Map([...tags].map(([path, bytes]) => [path, factOf(bytes)]));
  return tags.set(TAGMANIFEST_NAME, encodeManifest(facts));
}

export function factOf(bytes: Uint8Array): FileFact {
  return { size: bytes.length, sha256: encodeHex(sha256(bytes)) };
}

/**
 * Whether the files are those of a complete and valid bag (RFC 8493 section 3): every one but the seal listed, every one
 * listed there, with the digest it is listed with. Nothing is said yet about who made it.
 * @param documents the bytes of the tag files
 * @returns how many payload files there are, or the first whose content is not the listed one
 * @throws ForensicsError BAG_TAGMANIFEST_MISSING, BAG_MALFORMED, BAG_FILE_MISSING, BAG_UNLISTED, or BAG_CHANGED for a
 *   tag file
 */
export function checkBag(
  files: FileFacts,
  documents: ReadonlyMap<string, Uint8Array>,
): { readonly payload: number; readonly changed?: string } {
  const tagmanifest = documents.get(TAGMANIFEST_NAME);
  if (tagmanifest === undefined) {
    throw untrusted('BAG_TAGMANIFEST_MISSING', `there is no ${TAGMANIFEST_NAME}: nothing ties the package together`);
  }
  const tags = new Map(
    [...files].filter(([path]) => ![TAGMANIFEST_NAME, SEAL_NAME].includes(path) && !path.startsWith(PAYLOAD)),
  );
  const changedTag = compare(parseManifest(tagmanifest, TAGMANIFEST_NAME), tags, TAGMANIFEST_NAME);
  if (changedTag !== undefined) throw untrusted('BAG_CHANGED', `${changedTag} was changed`);
  const bagit = documents.get(BAGIT_NAME);
  const manifest = documents.get(MANIFEST_NAME);
  if (bagit === undefined || manifest === undefined || !documents.has(BAG_INFO_NAME)) {
    throw untrusted('BAG_FILE_MISSING', `${BAGIT_NAME}, ${BAG_INFO_NAME} or ${MANIFEST_NAME} is missing`);
  }
  if (!equalBytes(bagit, utf8(BAGIT_TEXT))) throw untrusted('BAG_MALFORMED', `${BAGIT_NAME} is not that of BagIt 1.0`);
  const payload = payloadOf(files);
  const changed = compare(parseManifest(manifest, MANIFEST_NAME), payload, MANIFEST_NAME);
  return { payload: payload.size, ...(changed === undefined ? {} : { changed }) };
}

/** @returns the first file with another digest */
function compare(listed: ReadonlyMap<string, string>, found: FileFacts, name: string): string | undefined {
  for (const path of listed.keys()) {
    if (!found.has(path))
      throw untrusted('BAG_FILE_MISSING', `${escapeForTerminal(path)} is listed in ${name} and missing`);
  }
  for (const path of found.keys()) {
    if (!listed.has(path)) throw untrusted('BAG_UNLISTED', `${escapeForTerminal(path)} is not listed in ${name}`);
  }
  return [...listed].find(([path, digest]) => found.get(path)?.sha256 !== digest)?.[0];
}

import { createHash, randomFillSync } from 'node:crypto';
import { createWriteStream, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { type TarFile, writeTar } from '../../src/archive/tar-writer.ts';
import { BUNDLE_PAYLOAD_TYPE, blobName, CHUNK, ENVELOPE_NAME, INDEX_NAME, rootName } from '../../src/bundle/format.ts';
import { encodeIndex, type IndexEntry } from '../../src/bundle/index-lines.ts';
import { compareBundleNames } from '../../src/bundle/layout.ts';
import { encodeStatement } from '../../src/bundle/statement.ts';
import { encodeHex } from '../../src/core/bytes.ts';
import { sha256 } from '../../src/core/digest.ts';
import { encodeEnvelope, signEnvelope } from '../../src/core/dsse.ts';
import { finishRoot, firstDraft, sealDraft, withKey, withRole } from '../../src/verify/root-draft.ts';
import { testKey } from '../../test/support/keys.ts';

/** Signed bundles of any size, made straight into a tar: what is measured reads them, nobody built them first. */

const PIECE = 1024 * 1024;
const PAGE = 4096;
/** Bytes of a page that say where it is: no file here is smaller. */
const STAMP = 12;
const ISSUED_AT = '2027-01-01T00:00:00.000Z';
const key = testKey('bench');

/** Pseudo-random bytes that no two files share: one random mebibyte, every page of it stamped with where it is. */
function* bytesOf(file: number, size: number): Generator<Uint8Array> {
  for (let at = 0; at < size; at += PIECE) {
    const piece = noise.slice(0, Math.min(PIECE, size - at));
    const view = new DataView(piece.buffer);
    for (let page = 0; page + STAMP <= piece.length; page += PAGE) {
      view.setUint32(page, file);
      view.setBigUint64(page + 4, BigInt(at + page));
    }
    yield piece;
  }
}
const noise = randomFillSync(new Uint8Array(PIECE));

/** A trust root of one key that may sign anything here. */
export function benchRoot(): Uint8Array {
  let draft = withKey(firstDraft(ISSUED_AT, '2037-01-01T00:00:00.000Z'), key.publicKey, { operator: 'bench' });
  for (const role of ['root', 'rules'] as const) {
    draft = withRole(draft, role, { keyids: [key.publicKey.keyid], threshold: 1 });
  }
  return encodeEnvelope(finishRoot(signEnvelope(sealDraft(draft), key), draft, undefined));
}

/** Writes files under a directory; over a thousand of them, in directories of 256. */
export function writeFiles(directory: string, count: number, size: number): void {
  for (let file = 0; file < count; file += 1) {
    const folder = count > 1000 ? join(directory, String(file >> 8)) : directory;
    if (file % 256 === 0) mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, `file-${file}`), Buffer.concat([...bytesOf(file, size)]));
  }
}

/** The bundle of so many files of so many bytes, as a tar. A file over 64 MiB is in chunks. */
export async function writeBundleTar(path: string, count: number, size: number): Promise<void> {
  const blobs: { sha256: string; size: number; file: number; chunk: number }[] = [];
  const entries: IndexEntry[] = [];
  for (let file = 0; file < count; file += 1) {
    const whole = createHash('sha256');
    const parts = Array.from({ length: Math.max(1, Math.ceil(size / CHUNK)) }, (_, chunk) => {
      const hash = createHash('sha256');
      const part = Math.min(CHUNK, size - chunk * CHUNK);
      for (const piece of bytesOf(file * 4096 + chunk, part)) {
        hash.update(piece);
        if (size > CHUNK) whole.update(piece);
      }
      return { sha256: hash.digest('hex'), size: part, file, chunk };
    });
    blobs.push(...parts);
    const place = { path: `data/file-${String(file).padStart(6, '0')}`, mode: '0644' as const, size };
    const chunks = parts.map((part) => ({ sha256: part.sha256, size: part.size }));
    const [only] = parts;
    if (size > CHUNK) entries.push({ ...place, sha256: whole.digest('hex'), chunks });
    else entries.push({ ...place, sha256: only?.sha256 ?? '' });
  }
  blobs.sort((a, b) => (a.sha256 < b.sha256 ? -1 : 1));
  const index = encodeIndex(entries);
  const root = benchRoot();
  const files: TarFile[] = [
    { name: ENVELOPE_NAME, ...inMemory(signedStatement(index, count, count * size)) },
    { name: rootName(1), ...inMemory(root) },
    { name: INDEX_NAME, ...inMemory(index) },
    ...blobs.map((blob) => ({
      name: blobName(blob.sha256),
      size: blob.size,
      body: { [Symbol.iterator]: () => bytesOf(blob.file * 4096 + blob.chunk, blob.size) },
    })),
  ];
  await pipeline(writeTar(files, compareBundleNames), createWriteStream(path));
}

function inMemory(bytes: Uint8Array): { size: number; body: Uint8Array[] } {
  return { size: bytes.length, body: [bytes] };
}

function signedStatement(index: Uint8Array, lines: number, bytes: number): Uint8Array {
  const payload = encodeStatement({
    kind: 'rules',
    channel: 'rules/bench',
    seq: 1,
    prev: null,
    audience: [],
    issuedAt: ISSUED_AT,
    builder: { name: 'bench', version: '0.0.0' },
    requires: {},
    critical: [],
    index: { sha256: encodeHex(sha256(index)), size: index.length, lines },
    bytes,
  });
  return encodeEnvelope(signEnvelope({ payloadType: BUNDLE_PAYLOAD_TYPE, payload, signatures: [] }, key));
}

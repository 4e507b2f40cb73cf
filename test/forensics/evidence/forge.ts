import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { TarReader } from '../../../src/archive/tar-reader.ts';
import { writeTar } from '../../../src/archive/tar-writer.ts';
import { compareUtf8, concatBytes, decodeUtf8, utf8 } from '../../../src/core/bytes.ts';
import type { Report } from '../../../src/core/checks.ts';
import { encodeEnvelope } from '../../../src/core/dsse.ts';
import { encodeCanonicalJson } from '../../../src/core/jcs.ts';
import { type FileFact, factOf, payloadOf, tagFilesOf } from '../../../src/forensics/evidence/bag.ts';
import {
  PACKAGE_NAME,
  SEAL_NAME,
  SEAL_PAYLOAD_TYPE,
  TAGMANIFEST_NAME,
} from '../../../src/forensics/evidence/format.ts';
import { logPath, partOf } from '../../../src/forensics/evidence/layout.ts';
import type { PackageDocument } from '../../../src/forensics/evidence/package-document.ts';
import { type EvidenceTrust, EvidenceVerification } from '../../../src/forensics/evidence/verification.ts';
import { createHashFunction } from '../../../src/ledger/hashing.ts';
import { signed } from '../../support/trust.ts';

/** Takes packages apart and puts them together again, as somebody with bad intentions would. */

/** By path below the bag. */
export type Files = Map<string, Uint8Array>;

export async function filesOf(tar: string): Promise<Files> {
  const bytes = new Uint8Array(readFileSync(tar));
  const reader = new TarReader(
    (async function* () {
      yield bytes;
    })(),
    { maxEntries: 1000, maxEntryBytes: 1e9 },
  );
  const files: Files = new Map();
  for (let header = await reader.next(); header !== undefined; header = await reader.next()) {
    const pieces: Uint8Array[] = [];
    for (let piece = await reader.read(); piece !== undefined; piece = await reader.read()) pieces.push(piece.slice());
    files.set(header.name.slice(header.name.indexOf('/') + 1), concatBytes(...pieces));
  }
  return files;
}

export async function writeTarOf(files: Files, out: string, bag = 'plant-7-1.evidence'): Promise<string> {
  const members = [...files].map(([path, body]) => ({ name: `${bag}/${path}`, size: body.length, body: [body] }));
  members.sort((a, b) => compareUtf8(a.name, b.name));
  const pieces: Uint8Array[] = [];
  for await (const piece of writeTar(members)) pieces.push(piece.slice());
  writeFileSync(out, concatBytes(...pieces));
  return out;
}

const hashes = { sha256: await createHashFunction('sha256'), blake3: await createHashFunction('blake3') };

/**
 * Judges a package as `verifyEvidence` does once its copy is made, without the copy: for everything but containers.
 * @param name of the directory in the tar
 */
export function judgeFiles(files: Files, trust: EvidenceTrust, name = 'plant-7-1.evidence'): Report {
  const isLines = (path: string) => {
    const part = partOf(path);
    return part.kind === 'log' && part.file === 'lines';
  };
  const verification = new EvidenceVerification(trust, hashes);
  const facts = new Map([...files].map(([path, bytes]): [string, FileFact] => [path, factOf(bytes)]));
  const documents = new Map([...files].filter(([path]) => !isLines(path)));
  for (const audit of verification.open({ name, files: facts, documents }, 'from memory')) {
    for (const { bytes, ended } of linesOf(get(files, logPath(audit.place, 'lines')))) {
      if (!audit.take(bytes, ended)) break;
    }
  }
  verification.close();
  return verification.report('x.tar');
}

function linesOf(bytes: Uint8Array): { bytes: Uint8Array; ended: boolean }[] {
  const lines: { bytes: Uint8Array; ended: boolean }[] = [];
  let from = 0;
  for (let end = bytes.indexOf(0x0a); end >= 0; end = bytes.indexOf(0x0a, from)) {
    lines.push({ bytes: bytes.subarray(from, end), ended: true });
    from = end + 1;
  }
  return from === bytes.length ? lines : [...lines, { bytes: bytes.subarray(from), ended: false }];
}

export function writeDirectoryOf(files: Files, directory: string): string {
  for (const [path, bytes] of files) {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path), bytes);
  }
  return directory;
}

/** Makes manifests fit again, and signs them anew: what somebody who holds these keys can do. */
export function reseal(files: Files, signers: readonly string[]): Files {
  const facts = new Map([...files].map(([path, bytes]): [string, FileFact] => [path, factOf(bytes)]));
  const document = JSON.parse(decodeUtf8(get(files, PACKAGE_NAME))) as PackageDocument;
  const whole: Files = new Map([...files, ...tagFilesOf(document, payloadOf(facts))]);
  const seal = signed(SEAL_PAYLOAD_TYPE, get(whole, TAGMANIFEST_NAME), signers);
  return whole.set(SEAL_NAME, encodeEnvelope(seal));
}

/** Makes manifests fit again, and leaves the seal as it was. */
export function remanifest(files: Files): Files {
  return reseal(files, []).set(SEAL_NAME, get(files, SEAL_NAME));
}

export function get(files: Files, path: string): Uint8Array {
  const bytes = files.get(path);
  if (bytes === undefined) throw new Error(`no ${path}`);
  return bytes;
}

export function without(files: Files, path: string): Files {
  get(files, path);
  const left = new Map(files);
  left.delete(path);
  return left;
}

export function replaced(files: Files, path: string, bytes: Uint8Array | string): Files {
  return new Map(files).set(path, typeof bytes === 'string' ? utf8(bytes) : bytes);
}

export function editText(files: Files, path: string, edit: (text: string) => string): Files {
  const before = decodeUtf8(get(files, path));
  const after = edit(before);
  if (after === before) throw new Error(`the edit of ${path} changes nothing`);
  return replaced(files, path, after);
}

// biome-ignore lint/suspicious/noExplicitAny: forged documents have any shape
export function editJson(files: Files, path: string, edit: (json: any) => void): Files {
  const json = JSON.parse(decodeUtf8(get(files, path)));
  edit(json);
  return replaced(files, path, encodeCanonicalJson(json));
}

export function editLines(files: Files, path: string, edit: (lines: string[]) => string[]): Files {
  return editText(files, path, (text) =>
    edit(text.split('\n').slice(0, -1))
      .map((line) => `${line}\n`)
      .join(''),
  );
}

import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll } from 'vitest';
import { type BuildInput, type BuildResult, buildBundle } from '../../src/bundle/build-io.ts';
import { untrusted } from '../../src/bundle/errors.ts';
import { BUNDLE_PAYLOAD_TYPE, ROOT_PAYLOAD_TYPE } from '../../src/bundle/format.ts';
import { expectedBlobs, type IndexEntry, parseIndex } from '../../src/bundle/index-lines.ts';
import { type BlobFindings, type BlobSink, openBundle } from '../../src/bundle/read-io.ts';
import { type BundleStatement, parseStatement } from '../../src/bundle/statement.ts';
import { encodeHex, utf8 } from '../../src/core/bytes.ts';
import { sha256 } from '../../src/core/digest.ts';
import { encodeEnvelope, parseEnvelope } from '../../src/core/dsse.ts';
import { tempDirectory } from '../support/temp.ts';

/** Bundles on disk, built by the real builder from files written here. */

export type Files = { readonly [path: string]: string | Uint8Array };

export const FILES: Files = {
  'linux/exec.yaml': 'title: exec\n',
  'linux/net.yaml': 'title: net\n',
  'linux.yaml': 'title: exec\n',
  'tools/run.sh': '#!/bin/sh\n',
  empty: '',
};

export function writeTree(directory: string, files: Files): string {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path), content);
    chmodSync(join(directory, path), path.endsWith('.sh') ? 0o755 : 0o644);
  }
  return directory;
}

/** Not judged here, only carried; an envelope of the right type is enough. */
export function rootEnvelope(version: number): Uint8Array {
  return encodeEnvelope({ payloadType: ROOT_PAYLOAD_TYPE, payload: utf8(`{"version":${version}}`), signatures: [] });
}

export const ARGUMENTS: Omit<BuildInput, 'source' | 'out'> = {
  kind: 'rules',
  channel: 'rules/linux-baseline',
  seq: 1,
  prev: null,
  audience: [],
  issuedAt: '2027-01-01T00:00:00.000Z',
  builder: { name: 'daemoneye', version: '0.1.0' },
  requires: {},
  rootChain: [rootEnvelope(1), rootEnvelope(2)],
};

export type Sample = { readonly directory: string; readonly source: string; readonly built: BuildResult };

/** A built bundle in a directory of its own. */
export async function buildSample(files: Files = FILES, changes: Partial<BuildInput> = {}): Promise<Sample> {
  const source = writeTree(tempDirectory(), files);
  const directory = join(tempDirectory(), 'sample-1.bundle');
  const built = await buildBundle({ ...ARGUMENTS, source, out: directory, ...changes });
  return { directory, source, built };
}

let shared: Promise<Sample> | undefined;
const shelves: string[] = [];
afterAll(() => {
  for (const shelf of shelves) rmSync(shelf, { recursive: true, force: true });
});

/** A copy of the sample bundle to harm; building, with its fsyncs, happens once a test file. */
export async function copySample(): Promise<string> {
  shared ??= buildShared();
  const copy = join(tempDirectory(), 'sample-1.bundle');
  cpSync((await shared).directory, copy, { recursive: true });
  return copy;
}

async function buildShared(): Promise<Sample> {
  const base = mkdtempSync(join(tmpdir(), 'daemoneye-test-'));
  shelves.push(base);
  const [source, directory] = [writeTree(join(base, 'source'), FILES), join(base, 'sample-1.bundle')];
  return { directory, source, built: await buildBundle({ ...ARGUMENTS, source, out: directory }) };
}

export type WholeBundle = {
  readonly transport: string;
  readonly envelope: Uint8Array;
  readonly roots: readonly { readonly version: number; readonly bytes: Uint8Array }[];
  readonly statement: BundleStatement;
  readonly entries: readonly IndexEntry[];
  readonly findings: BlobFindings;
};

/** Reads a bundle to its end, as a verifier does. */
export async function readWhole(path: string, sink?: BlobSink): Promise<WholeBundle> {
  const reader = await openBundle(path);
  try {
    const { envelope, rootChain } = await reader.readHead();
    const statement = parseStatement(parseEnvelope(envelope, BUNDLE_PAYLOAD_TYPE).payload);
    const index = await reader.readIndex(statement.index.size);
    if (hexOf(index) !== statement.index.sha256) throw untrusted('INDEX_MISMATCH', 'not the signed index');
    const entries = parseIndex(index, { lines: statement.index.lines, bytes: statement.bytes });
    const findings = await reader.readBlobs(expectedBlobs(entries), sink);
    return { transport: reader.transport, envelope, roots: rootChain, statement, entries, findings };
  } finally {
    await reader.close();
  }
}

/** Every path below a directory with its mode and content, directories included, sorted. */
export function snapshot(directory: string): [path: string, mode: string, content: string][] {
  const paths = readdirSync(directory, { recursive: true, encoding: 'utf8' }).sort();
  return paths.map((path) => {
    const stats = statSync(join(directory, path));
    const content = stats.isDirectory() ? 'directory' : readFileSync(join(directory, path), 'latin1');
    return [path, (stats.mode & 0o7777).toString(8), content];
  });
}

export function hexOf(content: string | Uint8Array): string {
  return encodeHex(sha256(typeof content === 'string' ? utf8(content) : content));
}

/** A file's bytes, as a plain Uint8Array. */
export function readBytes(path: string): Uint8Array {
  return new Uint8Array(readFileSync(path));
}

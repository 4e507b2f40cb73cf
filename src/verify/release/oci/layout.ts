import { encodeHex } from '../../../core/bytes.ts';
import { sha256 } from '../../../core/digest.ts';
import { messageOf } from '../../../core/errors.ts';
import { isJsonObject, type Json, type JsonObject, parseStrictJsonObject } from '../../../core/strict-json.ts';
import { escapeForTerminal } from '../../../core/terminal-text.ts';
import { ReleaseError } from '../errors.ts';

/**
 * An OCI image layout (https://github.com/opencontainers/image-spec/blob/main/image-layout.md) as its reader hands it
 * over: nothing of it is believed before its digest was computed.
 */
export type LayoutSource = {
  /** `index.json`. */
  readonly index: Uint8Array;
  /** A small blob's bytes, undefined if it isn't there; over `maxBytes` is not there either. */
  readonly readBlob: (hex: string, maxBytes: number) => Uint8Array | undefined;
  /** A blob of any size, hashed as it was read. */
  readonly hashBlob: (hex: string) => { readonly sha256: string; readonly size: number } | undefined;
};

export type Descriptor = {
  readonly mediaType: string;
  readonly hex: string;
  readonly size: number;
  readonly annotations: Readonly<Record<string, string>>;
};

export type Manifest = {
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
  readonly json: JsonObject;
};

/** The registry specification asks for at least 4 MiB of manifest. */
export const MAX_MANIFEST_BYTES = 4 * 1024 * 1024;
export const MAX_ENTRIES = 4096;

/** The manifests that `index.json` names. @throws ReleaseError LAYOUT_MALFORMED */
export function readIndex({ index }: LayoutSource): Descriptor[] {
  return descriptorsIn(parsed(index, 'index.json'), 'manifests', 'index.json');
}

/** Reads a manifest or index by its descriptor. @throws ReleaseError BLOB_MISSING, BLOB_MISMATCH or LAYOUT_MALFORMED */
export function readManifest(source: LayoutSource, descriptor: Descriptor): Manifest {
  const bytes = readSmallBlob(source, descriptor, MAX_MANIFEST_BYTES);
  const json = parsed(bytes, `the manifest ${short(descriptor)}`);
  assertOneReading(descriptor, json);
  return { descriptor, bytes, json };
}

/**
 * A document that is an image to one reader and a list of others to the next would be signed as the one and run as the
 * other (CVE-2021-41190); so would one that is of another type than whoever lists it says, who signs nothing.
 */
function assertOneReading(descriptor: Descriptor, { manifests, config, layers, mediaType }: JsonObject): void {
  if (manifests !== undefined && (config !== undefined || layers !== undefined))
    throw malformed(`the manifest ${short(descriptor)} is both an image and a list of images`);
  if (mediaType !== undefined && mediaType !== descriptor.mediaType)
    throw malformed(`the manifest ${short(descriptor)} is of another media type than it is listed as`);
}

/** A blob whose bytes are needed, checked against its descriptor. @throws ReleaseError BLOB_MISSING or BLOB_MISMATCH */
export function readSmallBlob(source: LayoutSource, descriptor: Descriptor, maxBytes: number): Uint8Array {
  const bytes = descriptor.size > maxBytes ? undefined : source.readBlob(descriptor.hex, maxBytes);
  if (bytes === undefined) {
    throw new ReleaseError('BLOB_MISSING', `the blob ${short(descriptor)} is missing, or over ${maxBytes} bytes`);
  }
  assertBlob(descriptor, { sha256: encodeHex(sha256(bytes)), size: bytes.length });
  return bytes;
}

/** Hashes every blob that an image consists of, down from its manifest or index. @returns how many */
export function walkImage(source: LayoutSource, image: Manifest): number {
  const seen = new Set<string>();
  const waiting: Manifest[] = [image];
  for (let manifest = waiting.pop(); manifest !== undefined; manifest = waiting.pop()) {
    for (const descriptor of descriptorsIn(manifest.json, 'manifests', short(manifest.descriptor))) {
      if (visit(seen, descriptor)) waiting.push(readManifest(source, descriptor));
    }
    for (const descriptor of partsOf(manifest)) {
      if (!visit(seen, descriptor)) continue;
      const found = source.hashBlob(descriptor.hex);
      if (found === undefined) throw new ReleaseError('BLOB_MISSING', `the blob ${short(descriptor)} is missing`);
      assertBlob(descriptor, found);
    }
  }
  return seen.size + 1;
}

function visit(seen: Set<string>, { hex }: Descriptor): boolean {
  if (seen.has(hex)) return false;
  if (seen.size >= MAX_ENTRIES) throw malformed(`it has over ${MAX_ENTRIES} blobs`);
  seen.add(hex);
  return true;
}

function partsOf({ json, descriptor }: Manifest): Descriptor[] {
  const config = json['config'];
  const layers = descriptorsIn(json, 'layers', short(descriptor));
  return config === undefined ? layers : [descriptorOf(config), ...layers];
}

/** The list of descriptors under a name; no list is an empty one. @throws ReleaseError LAYOUT_MALFORMED */
export function descriptorsIn(json: JsonObject, name: string, where: string): Descriptor[] {
  const list = json[name];
  if (list === undefined || list === null) return [];
  if (!Array.isArray(list) || list.length > MAX_ENTRIES)
    throw malformed(`the ${name} of ${where} are no list of a usual size`);
  return list.map(descriptorOf);
}

/** @throws ReleaseError LAYOUT_MALFORMED: a digest other than SHA-256 in lower-case hex is a path of the attacker's */
export function descriptorOf(entry: Json): Descriptor {
  const { mediaType, digest, size, annotations } = isJsonObject(entry) ? entry : {};
  const hex = typeof digest === 'string' ? /^sha256:([0-9a-f]{64})$/.exec(digest)?.[1] : undefined;
  if (hex === undefined) throw malformed('a digest in it is not sha256: and 64 hex digits');
  if (typeof size !== 'number' || size < 0) throw malformed('a descriptor in it has no size');
  const notes = isJsonObject(annotations) ? annotations : {};
  const text = Object.entries(notes).filter((note): note is [string, string] => typeof note[1] === 'string');
  return {
    mediaType: typeof mediaType === 'string' ? mediaType : '',
    hex,
    size,
    annotations: Object.fromEntries(text),
  };
}

function assertBlob(descriptor: Descriptor, found: { sha256: string; size: number }): void {
  if (found.sha256 === descriptor.hex && found.size === descriptor.size) return;
  throw new ReleaseError('BLOB_MISMATCH', `the blob ${short(descriptor)} is not what its name says`);
}

function parsed(bytes: Uint8Array, what: string): JsonObject {
  try {
    return parseStrictJsonObject(bytes, { maxBytes: MAX_MANIFEST_BYTES, numbers: 'any' });
  } catch (cause) {
    throw malformed(`${what} can't be read (${messageOf(cause)})`, cause);
  }
}

function short({ hex }: Descriptor): string {
  return `sha256:${hex.slice(0, 12)}…`;
}

function malformed(problem: string, cause?: unknown): ReleaseError {
  return new ReleaseError('LAYOUT_MALFORMED', `not an OCI layout that can be used: ${escapeForTerminal(problem)}`, {
    cause,
  });
}

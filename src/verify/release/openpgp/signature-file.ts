import { utf8 } from '../../../core/bytes.ts';
import { ReleaseError } from '../errors.ts';
import type { SignedHash } from '../key-signature.ts';
import { assertSize, MAX_SIGNATURE_BYTES, malformedAs, readText } from '../text.ts';
import { decodeArmor } from './armor.ts';
import { CLEARTEXT_BEGIN, HASH_HEADERS, MAX_SIGNATURES, PACKET, SIGNATURE_ARMOR } from './format.ts';
import { splitPackets } from './packets.ts';
import { type PgpSignature, parsePgpSignature } from './signature.ts';

/** A file with signatures in it, or with the signed text too. */
export type PgpSignatureFile = {
  /** Each that is there; of one that can't be judged, why. */
  readonly signatures: readonly (PgpSignature | ReleaseError)[];
  readonly cleartext?: Cleartext;
};

export type Cleartext = {
  /** The signed text: lines without the white space at their ends, each with a newline. All that is ever read of the file. */
  readonly text: Uint8Array;
  /** The hashes that its header names. */
  readonly hashes: ReadonlySet<SignedHash>;
};

/** A Release file of a large archive is some hundred kilobytes. */
export const MAX_CLEARTEXT_BYTES = 16 * 1024 * 1024;

const bad = malformedAs('PGP_MALFORMED', 'not an OpenPGP signature file');
const badArmor = malformedAs('PGP_ARMOR', 'not an armoured OpenPGP signature');
const badText = malformedAs('PGP_CLEARTEXT', 'not a cleartext signature');
const HASH_LINE = /^Hash: ([A-Z0-9]+(?:, ?[A-Z0-9]+)*)$/;

/** @throws ReleaseError PGP_MALFORMED, PGP_ARMOR, PGP_CLEARTEXT, PGP_HASH, MATERIAL_TOO_LARGE */
export function parseSignatureFile(bytes: Uint8Array): PgpSignatureFile {
  if (isClearsigned(bytes)) return parseCleartext(bytes);
  assertSize(bytes, MAX_SIGNATURE_BYTES, bad);
  const isArmored = Buffer.from(bytes.subarray(0, 5)).toString('latin1') === '-----';
  const blocks = isArmored
    ? decodeArmor(readText(bytes, MAX_SIGNATURE_BYTES, badArmor).split('\n'), SIGNATURE_ARMOR, badArmor)
    : [bytes];
  return { signatures: blocks.flatMap(readSignatures) };
}

export function isClearsigned(bytes: Uint8Array): boolean {
  return Buffer.from(bytes.subarray(0, CLEARTEXT_BEGIN.length)).toString('latin1') === CLEARTEXT_BEGIN;
}

/** Only signatures: a message with its text in it, beside another file, would vouch for that text and not for the file. */
function readSignatures(bytes: Uint8Array): (PgpSignature | ReleaseError)[] {
  const packets = splitPackets(bytes, bad);
  if (packets.length === 0) throw bad('it holds no signature');
  if (packets.length > MAX_SIGNATURES) throw bad(`it holds over ${MAX_SIGNATURES} signatures`);
  return packets.map(({ tag, body }) => {
    if (tag !== PACKET.signature) throw bad(`it holds a packet of type ${tag}, and signatures only may be there`);
    try {
      return parsePgpSignature(body);
    } catch (error) {
      // A publisher may sign in a newer form besides.
      if (error instanceof ReleaseError && error.code === 'PGP_VERSION') return error;
      throw error;
    }
  });
}

/**
 * The cleartext framework (section 7), of which this is the whole file: one message, the header `Hash` and no other, one
 * spelling of each line that starts with a dash, one block of signatures, and not a byte before or after.
 */
function parseCleartext(bytes: Uint8Array): PgpSignatureFile {
  const lines = readText(bytes, MAX_CLEARTEXT_BYTES, badText).split('\n');
  if (lines[0] !== CLEARTEXT_BEGIN) throw badText('its first line is not its beginning alone');
  const empty = lines.indexOf('');
  const headers = empty === -1 ? [] : lines.slice(1, empty);
  const hashes = new Set(headers.flatMap(readHashHeader));
  if (hashes.size === 0) throw badText('it names no hash');
  const end = lines.indexOf(`-----BEGIN ${SIGNATURE_ARMOR}-----`, empty);
  if (end === -1) throw badText('it has no signature');
  const text = lines.slice(empty + 1, end).map((line, i) => readLine(line, empty + i + 2));
  if (text.length === 0) throw badText('it has no text');
  const [block = new Uint8Array(), ...others] = decodeArmor(lines.slice(end), SIGNATURE_ARMOR, badText);
  if (others.length > 0) throw badText('it has several blocks of signatures');
  return { signatures: readSignatures(block), cleartext: { text: utf8(`${text.join('\n')}\n`), hashes } };
}

function readHashHeader(line: string): SignedHash[] {
  // NotDashEscaped changes what is signed, and what one tool takes for a header another takes for text (2025).
  const names = HASH_LINE.exec(line)?.[1]?.split(/, ?/);
  if (names === undefined) throw badText('it has a header other than Hash, or no empty line after its headers');
  return names.map((name) => {
    const hash = HASH_HEADERS[name];
    if (hash !== undefined) return hash;
    throw new ReleaseError('PGP_HASH', `made over the hash ${name}; SHA-256, SHA-384 and SHA-512 are accepted`);
  });
}

/** White space at the end of a line is not signed, so it is not read either. */
function readLine(line: string, number: number): string {
  if (line.startsWith('-') && !line.startsWith('- ')) throw badText(`line ${number} starts with a dash and no space`);
  return (line.startsWith('- ') ? line.slice(2) : line).replace(/[ \t]+$/, '');
}

const LF = 0x0a;
const CR = 0x0d;

/** What a text signature is over (section 5.2.1.2): the lines with CRLF. */
export function canonicalText(text: Uint8Array): Uint8Array {
  // With carriage returns, another file would have the same canonical form.
  if (text.includes(CR)) {
    throw new ReleaseError('PGP_TYPE', 'a text signature over a file with carriage returns fits other files too');
  }
  return new Uint8Array(Buffer.from(Buffer.from(text).toString('latin1').replaceAll('\n', '\r\n'), 'latin1'));
}

/** The same for a cleartext signature: the last line has no end (section 7.1). */
export function canonicalCleartext(text: Uint8Array): Uint8Array {
  return canonicalText(text.at(-1) === LF ? text.subarray(0, -1) : text);
}

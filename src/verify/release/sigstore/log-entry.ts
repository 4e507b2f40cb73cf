import type { TransparencyLogEntry } from '@sigstore/bundle';
import { pem } from '@sigstore/core';
import type { TrustMaterial } from '@sigstore/verify';
import { decodeUtf8, encodeBase64, encodeHex, equalBytes, parseBase64, utf8 } from '../../../core/bytes.ts';
import { messageOf } from '../../../core/errors.ts';
import { parseNote, type SignedNote } from '../../../core/signed-note.ts';
import { isJsonObject, type Json, parseStrictJsonObject } from '../../../core/strict-json.ts';
import { escapeForTerminal } from '../../../core/terminal-text.ts';
import { ReleaseError } from '../errors.ts';

/** Who signed, as the log should have it: the certificate or the key, in DER. */
export type SignerMaterial = { readonly certificate?: Uint8Array; readonly spki: Uint8Array };

/** A log of the trusted root. */
type Log = TrustMaterial['tlogs'][number];

/**
 * What the library doesn't ask of a log entry that it found in its log: that the entry names this signer, that the log's
 * key counted when it was signed, that the checkpoint is this log's own, and that the proof's own figures agree with it.
 * An entry by somebody else for the same digest and signature would prove that somebody else signed
 * (GHSA-whqx-f9j3-ch6m is one way to use that).
 * @param times of signing, in Unix milliseconds, as already verified
 * @throws ReleaseError LOG_ENTRY_MISMATCH or LOG_ENTRY_REFUSED
 */
export function assertLogEntry(
  entry: TransparencyLogEntry,
  signer: SignerMaterial,
  logs: readonly Log[],
  times: readonly number[],
): void {
  assertNamesSigner(entry, signer);
  const log = logs.find(({ logID }) => equalBytes(logID, entry.logId.keyId));
  if (log === undefined) throw refused('it is in a log that the trusted root does not name');
  const [from, to] = [log.validFor.start.getTime(), log.validFor.end.getTime()];
  if (!times.every((time) => from <= time && time <= to)) {
    throw refused("the log's key did not count when this was signed");
  }
  assertCheckpointIsOf(entry, log);
}

function assertNamesSigner(entry: TransparencyLogEntry, { certificate, spki }: SignerMaterial): void {
  const named = signerIn(entry);
  if (named === undefined) throw mismatch('it does not say who signed');
  const isSigner =
    (certificate !== undefined && equalBytes(named, certificate)) ||
    (certificate === undefined && equalBytes(named, spki));
  if (!isSigner) throw mismatch("it names another signer's key");
}

/** The certificate or key in an entry's body, in DER; the body is strict JSON or no evidence of anything. */
function signerIn({ canonicalizedBody, kindVersion }: TransparencyLogEntry): Uint8Array | undefined {
  try {
    const spec = at(parseStrictJsonObject(canonicalizedBody), 'spec');
    switch (`${kindVersion.kind} ${kindVersion.version}`) {
      case 'hashedrekord 0.0.1':
        return fromPem(text(at(spec, 'signature', 'publicKey', 'content')));
      case 'dsse 0.0.1':
        return fromPem(text(at(spec, 'signatures', 0, 'verifier')));
      case 'intoto 0.0.2':
        return fromPem(text(at(spec, 'content', 'envelope', 'signatures', 0, 'publicKey')));
      case 'hashedrekord 0.0.2':
        return fromVerifier(at(spec, 'hashedRekordV002', 'signature', 'verifier'));
      case 'dsse 0.0.2':
        return fromVerifier(at(spec, 'dsseV002', 'signatures', 0, 'verifier'));
      default:
        return undefined;
    }
  } catch (cause) {
    throw mismatch(`its body can't be read (${messageOf(cause)})`, cause);
  }
}

function fromVerifier(verifier: Json | undefined): Uint8Array | undefined {
  const bytes = text(at(verifier, 'x509Certificate', 'rawBytes')) ?? text(at(verifier, 'publicKey', 'rawBytes'));
  return bytes === undefined ? undefined : parseBase64(bytes);
}

/** PEM in base64, in entries of the kind intoto in base64 twice. */
function fromPem(base64: string | undefined): Uint8Array | undefined {
  if (base64 === undefined) return undefined;
  const once = decodeUtf8(parseBase64(base64));
  const block = once.startsWith('-----') ? once : decodeUtf8(parseBase64(once));
  // One block only: a second one would be a second signer.
  if (block.split('-----BEGIN ').length !== 2) return undefined;
  return new Uint8Array(pem.toDER(block));
}

function at(value: Json | undefined, ...path: readonly (string | number)[]): Json | undefined {
  let found: Json | undefined = value;
  for (const step of path) {
    if (typeof step === 'number') found = Array.isArray(found) ? found[step] : undefined;
    else found = isJsonObject(found) ? found[step] : undefined;
  }
  return found;
}

function text(value: Json | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

/**
 * The signed first line of a checkpoint is the log's name (C2SP tlog-checkpoint), in Rekor v1 followed by the tree's id.
 * The library only looks whether the unsigned name of a signature occurs anywhere in the log's address.
 */
function assertCheckpointIsOf({ inclusionProof }: TransparencyLogEntry, log: Log): void {
  if (inclusionProof?.checkpoint === undefined) return;
  const note = noteOf(inclusionProof.checkpoint.envelope);
  const [origin = '', size = '', root = ''] = note.text.split('\n');
  const name = log.baseURL.replace(/^[a-z][a-z0-9+.-]*:\/\//i, '').replace(/\/+$/, '');
  const isOwn = origin === name || (origin.startsWith(`${name} - `) && /^\d+$/.test(origin.slice(name.length + 3)));
  if (!isOwn || !note.signatures.some((signature) => signature.name === name)) {
    throw refused(`its checkpoint is of the log ${shown(origin)}, not of ${shown(name)}`);
  }
  const { treeSize, rootHash } = inclusionProof;
  if (size !== treeSize || root !== encodeBase64(rootHash)) {
    throw refused('its proof is for another tree than its checkpoint');
  }
}

/** One reading of the note; the library takes what looks like a signature from anywhere after the first empty line. */
function noteOf(envelope: string): SignedNote {
  try {
    return parseNote(utf8(envelope));
  } catch (cause) {
    throw refused(`its checkpoint is no signed note (${messageOf(cause)})`);
  }
}

/** Distinct logs among entries: two entries in one log are one witness. */
export function countLogs(entries: readonly TransparencyLogEntry[]): number {
  return new Set(entries.map(({ logId }) => encodeHex(logId.keyId))).size;
}

function shown(name: string): string {
  return escapeForTerminal(name.slice(0, 200));
}

function refused(problem: string): ReleaseError {
  return new ReleaseError('LOG_ENTRY_REFUSED', `the transparency log's entry is refused: ${problem}`);
}

function mismatch(problem: string, cause?: unknown): ReleaseError {
  return new ReleaseError('LOG_ENTRY_MISMATCH', `the transparency log's entry is about something else: ${problem}`, {
    cause,
  });
}

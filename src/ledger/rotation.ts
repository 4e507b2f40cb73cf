import rotationSchema from '../../schemas/rotation.schema.json' with { type: 'json' };
import { concatBytes, decodeUtf8, utf8 } from '../core/bytes.ts';
import { type Digest, formatDigest } from '../core/digest.ts';
import { type Envelope, signEnvelope, signingKeys } from '../core/dsse.ts';
import { embedEnvelope, parseEmbeddedEnvelope } from '../core/embedded-envelope.ts';
import { messageOf } from '../core/errors.ts';
import { validateEvent } from '../core/event.ts';
import type { EventData } from '../core/event-data.ts';
import { encodeCanonicalJson, parseCanonicalJson } from '../core/jcs.ts';
import { type KeyId, type PrivateKey, parsePublicKey } from '../core/keys.ts';
import { validateSchema } from '../core/schema.ts';
import { escapeForTerminal } from '../core/terminal-text.ts';
import type { Time } from '../core/time.ts';
import { currentEpoch, type Epochs, firstEpoch, isKeyOfLog, type LastHead } from './epochs.ts';
import { LedgerError, type LedgerErrorCode } from './errors.ts';
import { LOG_ROTATE, ROTATION_PAYLOAD_TYPE } from './format.ts';
import type { Genesis } from './genesis.ts';
import { type Line, parseLine } from './line.ts';

type RotationJson = {
  readonly v: 1;
  readonly genesis: Digest;
  readonly origin: string;
  /** Of the key that takes over, from 1. */
  readonly epoch: number;
  readonly from: KeyId;
  readonly key: { readonly keyid: KeyId; readonly pem: string };
  readonly last: LastHead;
  readonly issuedAt: Time;
};

/** The `data` of the `log.rotate` entry, which must come right after the last head of the old key. */
export function rotationData(
  genesis: Genesis,
  epochs: Epochs,
  keys: { readonly from: PrivateKey; readonly to: PrivateKey },
  last: { readonly size: number; readonly root: Uint8Array },
  issuedAt: Time,
): EventData['log.rotate'] {
  const { from, to } = keys;
  const json: RotationJson = {
    v: 1,
    genesis: genesis.digest,
    origin: genesis.origin,
    epoch: epochs.length,
    from: from.publicKey.keyid,
    key: { keyid: to.publicKey.keyid, pem: to.publicKey.pem },
    last: { size: last.size, root: formatDigest(genesis.hash, last.root) },
    issuedAt,
  };
  const unsigned: Envelope = { payloadType: ROTATION_PAYLOAD_TYPE, payload: encodeCanonicalJson(json), signatures: [] };
  const document = embedEnvelope(signEnvelope(signEnvelope(unsigned, from), to));
  return { from_kid: json.from, to_kid: json.key.keyid, document };
}

/**
 * The epochs with the one that a `log.rotate` line begins. The line's own place in the chain is for the caller to
 * check; the document in it is bound to this log, to the old key's last head, and to being the next epoch.
 * @throws LedgerError ROTATION_MALFORMED; ROTATION_SIGNATURE (not signed by both keys); ROTATION_ORDER (another log,
 *   epoch, key before it, or place); KEY_REUSED (a key that the log had before)
 */
export function addEpoch(epochs: Epochs, genesis: Genesis, bytes: Uint8Array): Epochs {
  const line = parseRotateLine(bytes);
  const { envelope, json, key } = parseRotation(line);
  const { keyid: current } = currentEpoch(epochs).key;
  const isNext = json.genesis === genesis.digest && json.origin === genesis.origin && json.epoch === epochs.length;
  if (!isNext || json.from !== current) {
    const of = `epoch ${json.epoch} of ${escapeForTerminal(json.origin)}, after the key ${json.from}`;
    throw refused('ROTATION_ORDER', line, `it begins ${of}; due is epoch ${epochs.length} after the key ${current}`);
  }
  if (line.data['from_kid'] !== json.from || line.data['to_kid'] !== key.keyid) {
    throw refused('ROTATION_ORDER', line, 'it names other keys than its document');
  }
  // Else a rotation could be moved over lines that were cut out before it.
  if (json.last.size !== line.seq || !json.last.root.startsWith(`${genesis.hash}:`)) {
    throw refused('ROTATION_ORDER', line, `it was made to stand after ${json.last.size} lines`);
  }
  // Else the key of today could sign for lines before its own time.
  if (epochs.length > 1 && line.seq <= currentEpoch(epochs).start) {
    throw refused('ROTATION_ORDER', line, `the key that gave way took over at line ${currentEpoch(epochs).start} only`);
  }
  // A key was given up for a reason, and who has stolen it must not come back by it.
  if (isKeyOfLog(epochs, key)) throw refused('KEY_REUSED', line, 'it goes back to a key that the log had before');
  if (signingKeys(envelope, [currentEpoch(epochs).key, key]).length !== 2) {
    throw refused('ROTATION_SIGNATURE', line, 'it is not signed by both the old and the new key');
  }
  return [...epochs, { key, start: line.seq, line: bytes, last: json.last }];
}

const NEWLINE = 0x0a;

/** The `log.rotate` lines of a log as text, for documents that carry them. */
export function rotationLines(epochs: Epochs): string[] {
  return epochs.flatMap(({ line }) => (line === undefined ? [] : [decodeUtf8(line)]));
}

/** Epochs from such lines. @throws LedgerError as {@link addEpoch} */
export function epochsFromLines(lines: readonly string[], genesis: Genesis): Epochs {
  return parseEpochs(utf8(lines.map((line) => `${line}\n`).join('')), genesis);
}

/** The `log.rotate` lines of a log, verbatim, each with its newline: what {@link parseEpochs} reads. */
export function encodeEpochs(epochs: Epochs): Uint8Array {
  const lines = epochs.flatMap(({ line }) => line ?? []);
  return concatBytes(...lines.flatMap((line) => [line, Uint8Array.of(NEWLINE)]));
}

/**
 * Epochs from the `log.rotate` lines of a log, each checked against the one before.
 * @param found is told each time one more holds
 * @throws LedgerError as {@link addEpoch}
 */
export function parseEpochs(bytes: Uint8Array, genesis: Genesis, found?: (epochs: Epochs) => void): Epochs {
  let epochs = firstEpoch(genesis);
  for (let at = 0; at < bytes.length; ) {
    const end = bytes.indexOf(NEWLINE, at);
    if (end < 0) throw new LedgerError('ROTATION_MALFORMED', 'its last line is cut short', { fault: 'untrusted' });
    epochs = addEpoch(epochs, genesis, bytes.slice(at, end));
    found?.(epochs);
    at = end + 1;
  }
  return epochs;
}

function parseRotateLine(bytes: Uint8Array): Line & { readonly data: EventData['log.rotate'] } {
  const line = parseLine(bytes);
  if (line.type !== LOG_ROTATE) throw refused('ROTATION_MALFORMED', line, `it is a ${line.type}`);
  try {
    return { ...line, data: validateEvent(LOG_ROTATE, line.data) };
  } catch (cause) {
    throw refused('ROTATION_MALFORMED', line, messageOf(cause), cause);
  }
}

function parseRotation(line: Line & { readonly data: EventData['log.rotate'] }) {
  try {
    const envelope = parseEmbeddedEnvelope(line.data.document);
    if (envelope.payloadType !== ROTATION_PAYLOAD_TYPE) throw new Error('its document is of another type');
    const json = validateSchema<RotationJson>(rotationSchema, parseCanonicalJson(envelope.payload));
    const key = parsePublicKey(json.key.pem);
    if (key.pem !== json.key.pem || key.keyid !== json.key.keyid) throw new Error('its keyid is not that of its key');
    return { envelope, json, key };
  } catch (cause) {
    throw refused('ROTATION_MALFORMED', line, messageOf(cause), cause);
  }
}

function refused(code: LedgerErrorCode, { seq }: Line, problem: string, cause?: unknown): LedgerError {
  const message = `the rotation of the key at line ${seq}: ${escapeForTerminal(problem)}`;
  return new LedgerError(code, message, { cause, fault: 'untrusted' });
}

import genesisSchema from '../../schemas/genesis.schema.json' with { type: 'json' };
import { equalBytes } from '../core/bytes.ts';
import { type Digest, type HashName, sha256Digest } from '../core/digest.ts';
import { type Envelope, encodeEnvelope, parseEnvelope, signEnvelope, signingKeys } from '../core/dsse.ts';
import { messageOf } from '../core/errors.ts';
import { encodeCanonicalJson, parseCanonicalJson } from '../core/jcs.ts';
import { type PrivateKey, type PublicKey, parsePublicKey } from '../core/keys.ts';
import { validateSchema } from '../core/schema.ts';
import { isNoteName } from '../core/signed-note.ts';
import { escapeForTerminal } from '../core/terminal-text.ts';
import type { Time } from '../core/time.ts';
import { LedgerError } from './errors.ts';
import { GENESIS_PAYLOAD_TYPE, GENESIS_VERSION, MAX_LINE_BYTES, ROTATE_LINES } from './format.ts';

/** What a log says about itself, once and for all. */
export type Genesis = {
  readonly host: string;
  /** Which log: the name in its checkpoints. Contains the host. */
  readonly origin: string;
  readonly hash: HashName;
  /** Signs the checkpoints. Whether it may is for an enrolment to say, not for this document. */
  readonly key: PublicKey;
  readonly createdAt: Time;
  readonly limits: { readonly line: number; readonly rotate: number };
  /** Digest of the payload: the identity of the log, and what its line 0 links to. */
  readonly digest: Digest;
};

export type NewGenesis = {
  readonly host: string;
  readonly origin: string;
  readonly hash: HashName;
  readonly key: PrivateKey;
  readonly createdAt: Time;
  /** Lines in one entries file, 1 to 65,536; default 65,536. */
  readonly rotate?: number;
};

type GenesisJson = {
  v: number;
  host: string;
  origin: string;
  hash: HashName;
  key: { keyid: string; pem: string };
  createdAt: Time;
  limits: { line: number; rotate: number };
};

/**
 * The bytes of genesis.json: a DSSE envelope, signed by the log's own key. That signature only shows that the maker
 * had the key; it is no authority for it.
 * @throws LedgerError GENESIS_MALFORMED if the values can't stand in one
 */
export function encodeGenesis({ host, origin, hash, key, createdAt, rotate }: NewGenesis): Uint8Array {
  const json: GenesisJson = {
    v: GENESIS_VERSION,
    host,
    origin,
    hash,
    key: { keyid: key.publicKey.keyid, pem: key.publicKey.pem },
    createdAt,
    limits: { line: MAX_LINE_BYTES, rotate: rotate ?? ROTATE_LINES },
  };
  const payload = encodeCanonicalJson(json);
  const unsigned: Envelope = { payloadType: GENESIS_PAYLOAD_TYPE, payload, signatures: [] };
  const bytes = encodeEnvelope(signEnvelope(unsigned, key));
  parseGenesis(bytes);
  return bytes;
}

/**
 * Parses genesis.json and checks that the key it names signed it.
 * @throws LedgerError GENESIS_MALFORMED or GENESIS_SIGNATURE
 */
export function parseGenesis(bytes: Uint8Array): Genesis {
  try {
    const envelope = parseEnvelope(bytes, GENESIS_PAYLOAD_TYPE);
    // One spelling only: a second file of the same meaning would be a second file to explain.
    if (!equalBytes(encodeEnvelope(envelope), bytes)) throw malformed('its envelope is not in canonical form');
    const genesis = parsePayload(envelope.payload);
    if (signingKeys(envelope, [genesis.key]).length === 0) {
      throw new LedgerError('GENESIS_SIGNATURE', "the genesis is not signed by the log's key", { fault: 'untrusted' });
    }
    return genesis;
  } catch (cause) {
    throw cause instanceof LedgerError ? cause : malformed(escapeForTerminal(messageOf(cause)), cause);
  }
}

function parsePayload(payload: Uint8Array): Genesis {
  const json = validateSchema<GenesisJson>(genesisSchema, parseCanonicalJson(payload));
  const key = parsePublicKey(json.key.pem);
  if (key.pem !== json.key.pem || key.keyid !== json.key.keyid) throw malformed('its keyid is not that of its key');
  if (!isNoteName(json.origin)) throw malformed('its origin has a space or a plus in it');
  const { host, origin, hash, createdAt, limits } = json;
  return { host, origin, hash, key, createdAt, limits, digest: sha256Digest(payload) };
}

function malformed(problem: string, cause?: unknown): LedgerError {
  return new LedgerError('GENESIS_MALFORMED', `not the genesis of a log: ${problem}`, { cause, fault: 'untrusted' });
}

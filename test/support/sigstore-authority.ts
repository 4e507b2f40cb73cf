import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { preAuthEncoding } from '../../src/core/dsse.ts';
import { encodeCanonicalJson } from '../../src/core/jcs.ts';
import { bits, der, integer, octets, oid, sequence, text, utcTime, yes } from './der.ts';

/**
 * A sigstore of one's own: certificate authority, certificate log and transparency log (Rekor v1), with real keys, so that
 * a test may do what the public one would never do. Everything is signed for real.
 */

/** When everything here is signed, in seconds. */
export const SIGNED_AT = 1_750_000_000;
export const OWN_ISSUER = 'https://accounts.example.com';
export const OWN_IDENTITY = 'https://example.com/org/repo/.github/workflows/release.yml@refs/tags/v1';
const LOG_NAME = 'log.example.com';
const DAY = 86_400_000;

type Pair = { readonly publicKey: KeyObject; readonly privateKey: KeyObject };
const pair = (): Pair => generateKeyPairSync('ec', { namedCurve: 'P-256' });
const spki = ({ publicKey }: Pair): Buffer => publicKey.export({ format: 'der', type: 'spki' });
const sha256 = (...parts: readonly Uint8Array[]): Buffer => createHash('sha256').update(Buffer.concat(parts)).digest();
const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');

const keys = { ca: pair(), ctlog: pair(), tlog: pair(), otherLog: pair() };

const ECDSA_SHA256 = sequence(oid('1.2.840.10045.4.3.2'));
export const name = (common: string): Buffer => sequence(der(0x31, sequence(oid('2.5.4.3'), text(common))));
const extension = (id: string, value: Uint8Array, critical = false): Buffer =>
  sequence(oid(id), ...(critical ? [yes] : []), octets(value));

/** Signed by the authority. */
export function certificate(tbs: Buffer): Buffer {
  return sequence(tbs, ECDSA_SHA256, bits(sign('sha256', tbs, keys.ca.privateKey)));
}

export function tbsOf(
  subject: Buffer,
  publicKey: Buffer,
  from: number,
  to: number,
  extensions: readonly Buffer[],
): Buffer {
  return sequence(
    der(0xa0, integer(2)),
    integer(7),
    ECDSA_SHA256,
    name('test authority'),
    sequence(utcTime(from), utcTime(to)),
    subject,
    publicKey,
    der(0xa3, sequence(...extensions)),
  );
}

/** The authority's own certificate. */
export function authority(extra: readonly Buffer[] = []): Buffer {
  return extra.length === 0 ? PLAIN_AUTHORITY : authorityWith(extra);
}

// Once: each signature is another, and so would each root be.
const PLAIN_AUTHORITY = authorityWith([]);

function authorityWith(extra: readonly Buffer[]): Buffer {
  return certificate(
    tbsOf(name('test authority'), spki(keys.ca), (SIGNED_AT - 1e6) * 1000, (SIGNED_AT + 1e8) * 1000, [
      extension('2.5.29.15', bits(Buffer.from([0x06]), 1), true),
      extension('2.5.29.19', sequence(yes), true),
      ...extra,
    ]),
  );
}

export type LeafOptions = {
  /** Subject names in DER; default one URI of {@link OWN_IDENTITY}. */
  readonly names?: readonly Buffer[];
  readonly issuer?: string;
  readonly codeSigning?: boolean;
  readonly extra?: readonly Buffer[];
  /** Milliseconds around the moment of signing. */
  readonly from?: number;
  readonly to?: number;
  readonly isAuthority?: boolean;
  /** Byte of the key usage; default `digitalSignature` alone. */
  readonly keyUsage?: number;
  readonly withoutSct?: boolean;
  /** What the list of certificate timestamps (RFC 6962 section 3.3) becomes before it is certified. */
  readonly alterSct?: (list: Buffer) => Buffer;
  readonly key?: Pair;
};

export const uri = (value: string | Uint8Array): Buffer =>
  der(0x86, typeof value === 'string' ? Buffer.from(value) : value);
export const email = (value: string): Buffer => der(0x81, Buffer.from(value));
export { extension };

export type Leaf = { readonly der: Buffer; readonly key: Pair };

/** A signing certificate as Fulcio makes one. */
export function leaf(options: LeafOptions = {}): Leaf {
  const key = options.key ?? pair();
  const at = SIGNED_AT * 1000;
  const extensions = [
    extension('2.5.29.15', bits(Buffer.from([options.keyUsage ?? (options.isAuthority === true ? 0x84 : 0x80)])), true),
    ...(options.codeSigning === false ? [] : [extension('2.5.29.37', sequence(oid('1.3.6.1.5.5.7.3.3')))]),
    ...(options.isAuthority === true ? [extension('2.5.29.19', sequence(yes), true)] : []),
    extension('2.5.29.17', sequence(...(options.names ?? [uri(OWN_IDENTITY)])), true),
    extension('1.3.6.1.4.1.57264.1.8', text(options.issuer ?? OWN_ISSUER)),
    ...(options.extra ?? []),
  ];
  const make = (all: readonly Buffer[]) =>
    tbsOf(sequence(), spki(key), options.from ?? at - 60_000, options.to ?? at + 60_000, all);
  if (options.withoutSct === true) return { der: certificate(make(extensions)), key };
  const list = (options.alterSct ?? ((same) => same))(sctOf(make(extensions)));
  return { der: certificate(make([...extensions, extension('1.3.6.1.4.1.11129.2.4.2', octets(list))])), key };
}

/** RFC 6962 section 3.2, of a precertificate. */
function sctOf(tbs: Buffer): Buffer {
  const time = Buffer.alloc(8);
  time.writeBigInt64BE(BigInt(SIGNED_AT) * 1000n);
  const head = Buffer.concat([Buffer.from([0, 0]), time, Buffer.from([0, 1])]);
  const length = Buffer.from([tbs.length >> 16, (tbs.length >> 8) & 0xff, tbs.length & 0xff]);
  const signed = Buffer.concat([head, sha256(spki(keys.ca)), length, tbs, Buffer.from([0, 0])]);
  const signature = sign('sha256', signed, keys.ctlog.privateKey);
  const sct = Buffer.concat([
    Buffer.from([0]),
    sha256(spki(keys.ctlog)),
    time,
    Buffer.from([0, 0, 4, 3, signature.length >> 8, signature.length & 0xff]),
    signature,
  ]);
  const size = (bytes: number) => Buffer.from([bytes >> 8, bytes & 0xff]);
  return Buffer.concat([size(sct.length + 2), size(sct.length), sct]);
}

type Validity = { readonly start: string; readonly end?: string };

export type RootOptions = {
  readonly logValidFor?: Validity;
  readonly logUrl?: string;
  /** Certificates of the authority, from the signing one on. */
  readonly chain?: readonly Buffer[];
  /** The same of a timestamp authority; none unless given one. */
  readonly timestampChain?: readonly Buffer[];
  readonly timestampValidFor?: Validity;
};

/** The trusted root of all this. */
export function ownRoot(options: RootOptions = {}): Buffer {
  const validFor = { start: new Date(SIGNED_AT * 1000 - 100 * DAY).toISOString() };
  const log = (key: Pair, baseUrl: string, valid: Validity = validFor) => ({
    baseUrl,
    hashAlgorithm: 'SHA2_256',
    publicKey: { rawBytes: base64(spki(key)), keyDetails: 'PKIX_ECDSA_P256_SHA_256', validFor: valid },
    logId: { keyId: base64(sha256(spki(key))) },
  });
  const authorityOf = (uri: string, chain: readonly Buffer[], valid: Validity = validFor) => ({
    uri,
    certChain: { certificates: chain.map((der) => ({ rawBytes: base64(der) })) },
    validFor: valid,
  });
  const { timestampChain = [] } = options;
  return Buffer.from(
    JSON.stringify({
      mediaType: 'application/vnd.dev.sigstore.trustedroot+json;version=0.1',
      tlogs: [
        log(keys.tlog, options.logUrl ?? `https://${LOG_NAME}`, options.logValidFor),
        log(keys.otherLog, 'https://other.example.com'),
      ],
      ctlogs: [log(keys.ctlog, 'https://ct.example.com')],
      certificateAuthorities: [authorityOf('https://ca.example.com', options.chain ?? [authority()])],
      ...(timestampChain.length === 0
        ? {}
        : {
            timestampAuthorities: [authorityOf('https://tsa.example.com', timestampChain, options.timestampValidFor)],
          }),
    }),
  );
}

export type LogOptions = {
  /** The second log of the root instead of the first. */
  readonly otherLog?: boolean;
  readonly origin?: string;
  readonly withoutPromise?: boolean;
  readonly withoutProof?: boolean;
  readonly index?: number;
  /** Of entry and promise, in seconds; default {@link SIGNED_AT}. */
  readonly time?: number;
  /** Of the kind of entry; default 0.0.1. */
  readonly version?: string;
};

/** A log entry with promise and proof; the tree holds this entry alone. */
export function logged(kind: string, spec: object, options: LogOptions = {}): object {
  const { version = '0.0.1' } = options;
  const key = options.otherLog === true ? keys.otherLog : keys.tlog;
  const logName = options.otherLog === true ? 'other.example.com' : LOG_NAME;
  const body = Buffer.from(encodeCanonicalJson({ apiVersion: version, kind, spec } as never));
  const logID = sha256(spki(key));
  const index = options.index ?? 0;
  const promise = {
    body: base64(body),
    integratedTime: options.time ?? SIGNED_AT,
    logID: logID.toString('hex'),
    logIndex: index,
  };
  const root = base64(sha256(Buffer.from([0]), body));
  const note = `${options.origin ?? logName}\n1\n${root}\n`;
  const signature = Buffer.concat([logID.subarray(0, 4), sign('sha256', Buffer.from(note), key.privateKey)]);
  return {
    logIndex: String(index),
    logId: { keyId: base64(logID) },
    kindVersion: { kind, version },
    integratedTime: String(options.time ?? SIGNED_AT),
    ...(options.withoutPromise === true
      ? {}
      : {
          inclusionPromise: {
            signedEntryTimestamp: base64(sign('sha256', encodeCanonicalJson(promise), key.privateKey)),
          },
        }),
    ...(options.withoutProof === true
      ? {}
      : {
          inclusionProof: {
            logIndex: '0',
            rootHash: root,
            treeSize: '1',
            hashes: [],
            checkpoint: { envelope: `${note}\n\u2014 ${logName} ${base64(signature)}\n` },
          },
        }),
    canonicalizedBody: base64(body),
  };
}

export function pemOf(kind: 'CERTIFICATE' | 'PUBLIC KEY', bytes: Uint8Array): string {
  return `-----BEGIN ${kind}-----\n${base64(bytes).replace(/(.{64})(?!$)/g, '$1\n')}\n-----END ${kind}-----\n`;
}

export type SignedBundle = { [member: string]: unknown };

type SignOptions = LogOptions & {
  /** A plain key instead of the certificate. */
  readonly plainKey?: boolean;
  readonly withoutLog?: boolean;
  /** What the log entry names as the signer, PEM. */
  readonly loggedSigner?: string;
  readonly hash?: 'sha256' | 'sha384' | 'sha512';
};

const ALGORITHMS = { sha256: 'SHA2_256', sha384: 'SHA2_384', sha512: 'SHA2_512' } as const;

/** A bundle v0.3 over an artifact. */
export function messageBundle(signer: Leaf, artifact: Uint8Array, options: SignOptions = {}): SignedBundle {
  const hash = options.hash ?? 'sha256';
  const digest = createHash(hash).update(artifact).digest();
  const isEd25519 = signer.key.publicKey.asymmetricKeyType === 'ed25519';
  const signature = sign(isEd25519 ? null : hash, artifact, signer.key.privateKey);
  const entry = logged(
    'hashedrekord',
    {
      data: { hash: { algorithm: hash, value: digest.toString('hex') } },
      signature: {
        content: base64(signature),
        publicKey: { content: base64(Buffer.from(loggedPem(signer, options))) },
      },
    },
    options,
  );
  return {
    ...frame(signer, entry, options),
    messageSignature: {
      messageDigest: { algorithm: ALGORITHMS[hash], digest: base64(digest) },
      signature: base64(signature),
    },
  };
}

function loggedPem(signer: Leaf, options: SignOptions): string {
  if (options.loggedSigner !== undefined) return options.loggedSigner;
  return options.plainKey === true ? pemOf('PUBLIC KEY', spki(signer.key)) : pemOf('CERTIFICATE', signer.der);
}

function frame(signer: Leaf, entry: object, options: SignOptions): SignedBundle {
  return {
    mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json',
    verificationMaterial: {
      ...(options.plainKey === true
        ? { publicKey: { hint: 'a key' } }
        : { certificate: { rawBytes: base64(signer.der) } }),
      tlogEntries: options.withoutLog === true ? [] : [entry],
    },
  };
}

/** A bundle v0.3 with an attestation. */
export function attestationBundle(
  signer: Leaf,
  statement: object | Uint8Array,
  options: SignOptions & { readonly payloadType?: string } = {},
): SignedBundle {
  const payload = statement instanceof Uint8Array ? statement : Buffer.from(JSON.stringify(statement));
  const payloadType = options.payloadType ?? 'application/vnd.in-toto+json';
  const isEd25519 = signer.key.publicKey.asymmetricKeyType === 'ed25519';
  const signature = sign(isEd25519 ? null : 'sha256', preAuthEncoding(payloadType, payload), signer.key.privateKey);
  const entry = logged(
    'dsse',
    {
      payloadHash: { algorithm: 'sha256', value: sha256(payload).toString('hex') },
      signatures: [{ signature: base64(signature), verifier: base64(Buffer.from(loggedPem(signer, options))) }],
    },
    options,
  );
  return {
    ...frame(signer, entry, options),
    dsseEnvelope: { payload: base64(payload), payloadType, signatures: [{ sig: base64(signature) }] },
  };
}

export function bundleBytes(bundle: SignedBundle): Uint8Array {
  return Buffer.from(JSON.stringify(bundle));
}

/** A statement about artifacts. */
export function statementAbout(
  subjects: readonly { readonly name: string; readonly digest: Record<string, string> }[],
  predicateType = 'https://example.com/predicate',
  predicate: object = {},
): object {
  return { _type: 'https://in-toto.io/Statement/v1', subject: subjects, predicateType, predicate };
}

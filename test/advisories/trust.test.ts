import { describe, expect, it } from 'vitest';
import { BUNDLE_PAYLOAD_TYPE, ROOT_PAYLOAD_TYPE } from '../../src/bundle/format.ts';
import { decodeUtf8, utf8 } from '../../src/core/bytes.ts';
import { encodeEnvelope, parseEnvelope, preAuthEncoding } from '../../src/core/dsse.ts';
import { canonicalJson } from '../../src/core/jcs.ts';
import { signWithKey } from '../../src/core/keys.ts';
import { encodeRoot } from '../../src/verify/trust-root.ts';
import { testKey } from '../support/keys.ts';
import {
  day,
  expectRefused,
  expectTrusted,
  judge,
  keyid,
  makeBundle,
  pinnedRoot,
  rootDocument,
  rootFile,
  signed,
  trustOf,
} from '../support/trust.ts';

/** What went wrong in TUF, sigstore, cosign, BagIt and their like: one test an advisory, where the idea applies here. */

describe('TUF', () => {
  const plan = { roles: { root: { keys: ['a'] }, rules: { keys: ['a', 'b'], threshold: 2 } } };
  const roots = [rootFile(rootDocument(plan), ['a'])];
  const trust = trustOf({ pinned: pinnedRoot(plan) });
  const one = makeBundle({ roots, signers: ['a'] });

  it('CVE-2020-15093 (tough): one key met a threshold of many with its signature listed several times', () => {
    const envelope = parseEnvelope(one.envelope, BUNDLE_PAYLOAD_TYPE);
    const [signature] = envelope.signatures;
    if (signature === undefined) throw new Error('it was signed');
    const doubled = encodeEnvelope({ ...envelope, signatures: [signature, signature, signature] });
    expectRefused(judge({ ...one, envelope: doubled }, trust), 'signatures', 'THRESHOLD_NOT_MET');
  });

  it('CVE-2020-15163 (python-tuf): a root that the root before it did not sign', () => {
    const plans = { ...plan, version: 2, roles: { ...plan.roles, root: { keys: ['b'] } } };
    const own = rootFile(rootDocument(plans), ['b']);
    const bundle = makeBundle({ roots: [...roots, own], signers: ['a', 'b'] });
    expectRefused(judge(bundle, trust), 'root-chain', 'ROOT_SIGNATURES_PREVIOUS');
  });

  it('CVE-2020-6174 (python-tuf): a key listed under several keyids counted once for each', () => {
    const document = rootDocument(plan);
    const pem = testKey('a').publicKey.pem;
    const doubled = {
      ...document,
      keys: { ...document.keys, [keyid('x')]: { pem } },
      roles: { ...document.roles, rules: { keyids: [keyid('a'), keyid('x')], threshold: 2 } },
      version: 2,
    };
    const bytes = encodeEnvelope(signed(ROOT_PAYLOAD_TYPE, encodeRoot(doubled), ['a']));
    const bundle = makeBundle({ roots: [...roots, { version: 2, bytes }], signers: ['a'] });
    expectRefused(judge(bundle, trust), 'root-chain', 'ROOT_KEYID_MISMATCH');
  });

  it('CVE-2022-29173 (go-tuf): older metadata after newer was seen', () => {
    const second = { ...plan, version: 2 };
    const bundle = makeBundle({ roots, signers: ['a', 'b'] });
    expectTrusted(judge(bundle, trust));
    expectRefused(judge(bundle, trustOf({ pinned: pinnedRoot(second) })), 'root-chain', 'ROOT_ROLLBACK');
  });

  it('CVE-2024-47534 (go-tuf): a role that is not the delegating one vouches for the same channel', () => {
    const many = { roles: { ...plan.roles, config: { keys: ['c'] } } };
    const chain = [rootFile(rootDocument(many), ['a'])];
    const bundle = makeBundle({ roots: chain, signers: ['a', 'c'] });
    expectRefused(judge(bundle, trustOf({ pinned: pinnedRoot(many) })), 'signatures', 'THRESHOLD_NOT_MET');
  });

  it('GHSA-fphv-w9fq-2525 (go-tuf): a threshold of 0, or below, that everything meets', () => {
    for (const threshold of [0, -1]) {
      const document = rootDocument({ ...plan, version: 2 });
      const rules = { ...document.roles['rules'], keyids: [keyid('a')], threshold };
      const bytes = encodeEnvelope(
        signed(ROOT_PAYLOAD_TYPE, encodeRoot({ ...document, roles: { ...document.roles, rules } }), ['a']),
      );
      const bundle = makeBundle({ roots: [...roots, { version: 2, bytes }], signers: ['a', 'b'] });
      expectRefused(judge(bundle, trust), 'root-chain', 'THRESHOLD_INVALID');
    }
  });

  it('freeze: an old bundle shown for ever is never called fresh', () => {
    const bundle = makeBundle({ roots, signers: ['a', 'b'] });
    expect(judge(bundle, trust).report('x').freshness.status).toBe('not-provable');
    expectRefused(judge(bundle, { ...trust, requireFresh: true }), 'freshness', 'NOT_PROVABLY_FRESH');
  });
});

describe('sigstore, cosign and DSSE', () => {
  const bundle = makeBundle();
  const envelope = parseEnvelope(bundle.envelope, BUNDLE_PAYLOAD_TYPE);

  it('CVE-2022-35929 (cosign): the attestation of another type was accepted for the one asked for', () => {
    const text = decodeUtf8(envelope.payload).replace('urn:daemoneye:bundle:v1', 'https://slsa.dev/provenance/v1');
    const other = encodeEnvelope(signed(BUNDLE_PAYLOAD_TYPE, utf8(text), ['rules-a', 'rules-b']));
    expectRefused(judge({ ...bundle, envelope: other }), 'signatures', 'STATEMENT_MALFORMED');
  });

  it('CVE-2022-36056 (cosign): a valid signature over something else stood for this', () => {
    const elsewhere = makeBundle({ files: { other: 'x' } });
    const moved = encodeEnvelope({
      ...envelope,
      signatures: parseEnvelope(elsewhere.envelope, BUNDLE_PAYLOAD_TYPE).signatures,
    });
    expectRefused(judge({ ...bundle, envelope: moved }), 'signatures', 'NO_TRUSTED_SIGNATURE');
  });

  it('in-toto: subjects beside the one that is verified', () => {
    const statement = JSON.parse(decodeUtf8(envelope.payload)) as { subject: unknown[] };
    for (const subject of [[], [...statement.subject, { name: 'x', digest: { sha256: 'a'.repeat(64) } }]]) {
      const payload = utf8(canonicalJson({ ...statement, subject }));
      const changed = encodeEnvelope(signed(BUNDLE_PAYLOAD_TYPE, payload, ['rules-a', 'rules-b']));
      expectRefused(judge({ ...bundle, envelope: changed }), 'signatures', 'STATEMENT_MALFORMED');
    }
  });

  it('DSSE: a signature over the payload alone, as JWS and older formats had it', () => {
    const signatures = ['rules-a', 'rules-b'].map((name) => ({
      keyid: keyid(name),
      sig: signWithKey(testKey(name), envelope.payload),
    }));
    const bare = encodeEnvelope({ ...envelope, signatures });
    expectRefused(judge({ ...bundle, envelope: bare }), 'signatures', 'NO_TRUSTED_SIGNATURE');
  });

  it('DSSE: a signature for one payload type over the bytes of another', () => {
    const signatures = ['rules-a', 'rules-b'].map((name) => ({
      keyid: keyid(name),
      sig: signWithKey(testKey(name), preAuthEncoding(ROOT_PAYLOAD_TYPE, envelope.payload)),
    }));
    const confused = encodeEnvelope({ ...envelope, signatures });
    expectRefused(judge({ ...bundle, envelope: confused }), 'signatures', 'NO_TRUSTED_SIGNATURE');
  });

  it('CVE-2020-36843 (EdDSA in Java): a signature made malleable by adding the group order', () => {
    const order = 2n ** 252n + 27742317777372353535851937790883648493n;
    const signatures = envelope.signatures.map(({ keyid: id, sig }) => {
      const s = [...sig.subarray(32)].reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n) + order;
      const bytes = Array.from({ length: 32 }, (_, i) => Number((s >> BigInt(8 * i)) & 0xffn));
      return { keyid: id, sig: Uint8Array.from([...sig.subarray(0, 32), ...bytes]) };
    });
    const malleable = encodeEnvelope({ ...envelope, signatures });
    expectRefused(judge({ ...bundle, envelope: malleable }), 'signatures', 'NO_TRUSTED_SIGNATURE');
  });
});

describe('BagIt, RAUC and other packages of files', () => {
  it('bagit-python and bagit-java: payload files that no manifest lists are not part of what was verified', async () => {
    const { judgePath, lightBundle, membersOfBundle, writeDirectory } = await import('../bundle/hostile.ts');
    const stray = [`blobs/sha256/${'f'.repeat(64)}`, utf8('evil')] as const;
    const path = writeDirectory([...membersOfBundle(lightBundle()), stray]);
    expectRefused((await judgePath(path)).verification, 'container', 'BLOB_UNLISTED');
  });

  it('package managers: "expires" decided by a clock that an attacker can set', () => {
    const bundle = makeBundle({ statement: { expires: day(50) } });
    expectRefused(judge(bundle, trustOf({ floor: day(51) })), 'freshness', 'EXPIRED');
    // No clock is read at all: what is known to have passed is the argument.
    expectTrusted(judge(bundle, trustOf({ floor: day(49) })));
  });

  it('CVE-2020-25860 (RAUC): the file is changed between its check and its use', async () => {
    const { judgePath, lightBundle, membersOfBundle, writeTarOf } = await import('../bundle/hostile.ts');
    const { writeFileSync } = await import('node:fs');
    const path = writeTarOf(membersOfBundle(lightBundle({ files: { a: 'signed' } })));
    const content = async () => {
      writeFileSync(path, 'evil');
      return { ok: true, reason: 'fine' };
    };
    const { verification, files } = await judgePath(path, { content });
    expectTrusted(verification);
    expect(files).toEqual({ a: 'signed' });
  });
});

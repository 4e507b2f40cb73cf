import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { BUNDLE_PAYLOAD_TYPE, ROOT_PAYLOAD_TYPE } from '../../src/bundle/format.ts';
import { addSignature, mergeIntoBundle, readSignable, signBundle } from '../../src/bundle/sign-io.ts';
import {
  type Envelope,
  encodeEnvelope,
  parseEnvelope,
  payloadDigest,
  preAuthEncoding,
  signingKeys,
} from '../../src/core/dsse.ts';
import { signWithKey } from '../../src/core/keys.ts';
import { expectCodeAsync } from '../support/expect-code.ts';
import { testKey } from '../support/keys.ts';
import { tempDirectory } from '../support/temp.ts';
import { buildSample, copySample } from './sample.ts';

const [A, B] = [testKey('a'), testKey('b')];

function envelopeOf(directory: string): Envelope {
  return parseEnvelope(readFileSync(join(directory, 'bundle.dsse.json')), BUNDLE_PAYLOAD_TYPE);
}

describe('signBundle', () => {
  it('adds signatures one after the other, in whatever order', async () => {
    const one = { directory: await copySample() };
    const other = { directory: await copySample() };
    const statement = payloadDigest(envelopeOf(one.directory));
    expect(await signBundle(one.directory, A)).toEqual({
      keyid: A.publicKey.keyid,
      statement,
      added: true,
      signatures: 1,
    });
    expect(await signBundle(one.directory, B)).toMatchObject({ keyid: B.publicKey.keyid, added: true, signatures: 2 });
    expect(signingKeys(envelopeOf(one.directory), [A.publicKey, B.publicKey])).toHaveLength(2);
    await signBundle(other.directory, B);
    await signBundle(other.directory, A);
    expect(encodeEnvelope(envelopeOf(other.directory))).toEqual(encodeEnvelope(envelopeOf(one.directory)));
  });

  it('signing twice changes nothing, and says so', async () => {
    const directory = await copySample();
    await signBundle(directory, A);
    const file = join(directory, 'bundle.dsse.json');
    const before = statSync(file, { bigint: true });
    expect(await signBundle(directory, A)).toMatchObject({ added: false, signatures: 1 });
    const after = statSync(file, { bigint: true });
    expect([after.ino, after.mtimeNs]).toEqual([before.ino, before.mtimeNs]);
    expect(after.mode & 0o777n).toBe(0o644n);
  });

  it('replaces a worthless signature under the same keyid', async () => {
    const directory = await copySample();
    const envelope = envelopeOf(directory);
    const forged = { ...envelope, signatures: [{ keyid: A.publicKey.keyid, sig: new Uint8Array(64) }] };
    writeFileSync(join(directory, 'bundle.dsse.json'), encodeEnvelope(forged));
    expect(await signBundle(directory, A)).toMatchObject({ added: true, signatures: 1 });
    expect(signingKeys(envelopeOf(directory), [A.publicKey])).toHaveLength(1);
  });

  it('INDEX_MISMATCH: an index that is not the one the statement names', async () => {
    const directory = await copySample();
    const index = join(directory, 'index.jsonl');
    writeFileSync(index, readFileSync(index, 'utf8').replace('exec.yaml', 'evil.yaml'));
    await expectCodeAsync(signBundle(directory, A), 'INDEX_MISMATCH');
    await expectCodeAsync(readSignable(directory), 'INDEX_MISMATCH');
    expect(envelopeOf(directory).signatures).toEqual([]);
  });

  it('refuses what is no bundle', async () => {
    const directory = await copySample();
    await expectCodeAsync(signBundle(tempDirectory(), A), 'NOT_FOUND');
    await expectCodeAsync(signBundle(join(directory, 'index.jsonl'), A), 'DIRECTORY_TYPE');
    const { payloadType, signatures } = envelopeOf(directory);
    writeFileSync(
      join(directory, 'bundle.dsse.json'),
      encodeEnvelope({ payloadType, payload: Uint8Array.of(1), signatures }),
    );
    await expectCodeAsync(signBundle(directory, A), 'STATEMENT_MALFORMED');
    writeFileSync(join(directory, 'bundle.dsse.json'), '{}');
    await expectCodeAsync(signBundle(directory, A), 'ENVELOPE_MALFORMED');
  });

  it('ENVELOPE_MALFORMED: one signature more than can be read again is not written', async () => {
    const directory = await copySample();
    const envelope = envelopeOf(directory);
    const many = Array.from({ length: 64 }, (_, i) => ({
      keyid: i.toString(16).padStart(64, '0'),
      sig: new Uint8Array(64),
    }));
    writeFileSync(join(directory, 'bundle.dsse.json'), encodeEnvelope({ ...envelope, signatures: many }));
    await expectCodeAsync(signBundle(directory, A), 'ENVELOPE_MALFORMED');
    expect(envelopeOf(directory).signatures).toHaveLength(64);
  });
});

/** The bytes that a card signs. */
async function toSign(directory: string): Promise<Uint8Array> {
  const { payloadType, payload } = await readSignable(directory);
  return preAuthEncoding(payloadType, payload);
}

describe('addSignature', () => {
  it('takes a signature made over the pre-authentication encoding, once', async () => {
    const directory = await copySample();
    const message = await toSign(directory);
    expect(Buffer.from(message).toString('latin1')).toMatch(
      /^DSSEv1 28 application\/vnd\.in-toto\+json \d+ \{"_type":/,
    );
    const signature = signWithKey(A, message);
    expect(await addSignature(directory, A.publicKey, signature)).toMatchObject({ added: true, signatures: 1 });
    await expectCodeAsync(addSignature(directory, A.publicKey, signature), 'SIGNATURE_DUPLICATE');
    expect(await signBundle(directory, A)).toMatchObject({ added: false, signatures: 1 });
  });

  it('BAD_SIGNATURE: another key, another bundle, the bare payload, rubbish', async () => {
    const directory = await copySample();
    const message = await toSign(directory);
    const elsewhere = await toSign((await buildSample({ other: 'file' })).directory);
    for (const signature of [
      signWithKey(B, message),
      signWithKey(A, elsewhere),
      signWithKey(A, envelopeOf(directory).payload),
      new Uint8Array(64),
      new Uint8Array(),
    ]) {
      await expectCodeAsync(addSignature(directory, A.publicKey, signature), 'BAD_SIGNATURE');
    }
    expect(envelopeOf(directory).signatures).toEqual([]);
  });
});

describe('mergeIntoBundle', () => {
  const bytesOf = (directory: string) => readFileSync(join(directory, 'bundle.dsse.json'));

  it('takes in what others signed apart, in any order', async () => {
    const [one, other] = [await copySample(), await copySample()];
    const [copyA, copyB] = [await copySample(), await copySample()];
    await signBundle(copyA, A);
    await signBundle(copyB, B);
    expect(await mergeIntoBundle(one, [bytesOf(copyA), bytesOf(copyB)])).toMatchObject({ signatures: 2 });
    await mergeIntoBundle(other, [bytesOf(copyB)]);
    await mergeIntoBundle(other, [bytesOf(copyA), bytesOf(copyB)]);
    expect(bytesOf(other)).toEqual(bytesOf(one));
    expect(signingKeys(envelopeOf(one), [A.publicKey, B.publicKey])).toHaveLength(2);
  });

  it('lets a broken signature push out no good one, and the files come out the same', async () => {
    const [one, other, good] = [await copySample(), await copySample(), await copySample()];
    await signBundle(good, A);
    const envelope = envelopeOf(good);
    const broken = encodeEnvelope({ ...envelope, signatures: [{ keyid: A.publicKey.keyid, sig: new Uint8Array(64) }] });
    await mergeIntoBundle(one, [broken, bytesOf(good)]);
    await mergeIntoBundle(other, [bytesOf(good), broken]);
    expect(signingKeys(envelopeOf(one), [A.publicKey])).toHaveLength(1);
    expect(bytesOf(other)).toEqual(bytesOf(one));
  });

  it('PAYLOADS_DIFFER, PAYLOAD_TYPE, ENVELOPE_MALFORMED: a copy of something else; nothing is written', async () => {
    const directory = await copySample();
    await signBundle(directory, A);
    const before = bytesOf(directory);
    const elsewhere = (await buildSample({ other: 'file' })).directory;
    await expectCodeAsync(mergeIntoBundle(directory, [before, bytesOf(elsewhere)]), 'PAYLOADS_DIFFER');
    const root = encodeEnvelope({ ...envelopeOf(directory), payloadType: ROOT_PAYLOAD_TYPE });
    await expectCodeAsync(mergeIntoBundle(directory, [root]), 'PAYLOAD_TYPE');
    const garbage = Array.from({ length: 64 }, (_, i) => ({
      keyid: i.toString(16).padStart(64, '0'),
      sig: new Uint8Array(64),
    }));
    const full = encodeEnvelope({ ...envelopeOf(directory), signatures: garbage });
    await expectCodeAsync(mergeIntoBundle(directory, [full]), 'ENVELOPE_MALFORMED');
    expect(bytesOf(directory)).toEqual(before);
  });
});

import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { BUNDLE_PAYLOAD_TYPE } from '../../src/bundle/format.ts';
import { addSignature, preAuthEncodingOf, signBundle } from '../../src/bundle/sign-io.ts';
import { type Envelope, encodeEnvelope, parseEnvelope, payloadDigest, signingKeys } from '../../src/core/dsse.ts';
import { formatPrivateKey, signWithKey } from '../../src/core/keys.ts';
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
    await expectCodeAsync(preAuthEncodingOf(directory), 'INDEX_MISMATCH');
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

describe('addSignature', () => {
  it('takes a signature made over the pre-authentication encoding', async () => {
    const directory = await copySample();
    const message = await preAuthEncodingOf(directory);
    expect(Buffer.from(message).toString('latin1')).toMatch(
      /^DSSEv1 28 application\/vnd\.in-toto\+json \d+ \{"_type":/,
    );
    const signature = signWithKey(A, message);
    expect(await addSignature(directory, A.publicKey, signature)).toMatchObject({ added: true, signatures: 1 });
    expect(await addSignature(directory, A.publicKey, signature)).toMatchObject({ added: false, signatures: 1 });
    expect(await signBundle(directory, A)).toMatchObject({ added: false });
  });

  const openssl = spawnSync('openssl', ['version']).status === 0;
  it.skipIf(!openssl)('takes one made by openssl (skipped without it)', async () => {
    const directory = await copySample();
    const work = tempDirectory();
    writeFileSync(join(work, 'key.pem'), formatPrivateKey(A.handle), { mode: 0o600 });
    writeFileSync(join(work, 'pae'), await preAuthEncodingOf(directory));
    const args = ['pkeyutl', '-sign', '-rawin', '-inkey', 'key.pem', '-in', 'pae', '-out', 'sig'];
    execFileSync('openssl', args, { cwd: work, stdio: 'pipe' });
    const signature = new Uint8Array(readFileSync(join(work, 'sig')));
    expect(await addSignature(directory, A.publicKey, signature)).toMatchObject({ added: true });
  });

  it('BAD_SIGNATURE: another key, another bundle, the bare payload, rubbish', async () => {
    const directory = await copySample();
    const message = await preAuthEncodingOf(directory);
    const elsewhere = await preAuthEncodingOf((await buildSample({ other: 'file' })).directory);
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

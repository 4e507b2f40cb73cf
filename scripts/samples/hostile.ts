import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { packBundle } from '../../src/bundle/pack-io.ts';
import { canonicalJson } from '../../src/core/jcs.ts';
import type { Expectation, SampleMaker } from './write.ts';

/** Samples that must be refused, each with the check that refuses it. @param good a signed bundle directory */
export async function writeHostile(
  target: string,
  maker: SampleMaker,
  good: string,
): Promise<Record<string, Expectation>> {
  mkdirSync(target);
  const out = (name: string) => join(target, `${name}.bundle.tar`);
  await packBundle(good, out('good'));
  const tar = readFileSync(out('good'));
  const expected: Record<string, Expectation> = {};
  const expect = (name: string, check: string, code: string) => {
    expected[`hostile/${name}.bundle.tar`] = { verdict: 'refused', check, code };
  };

  const flipped = Buffer.from(tar);
  const lastBlob = tar.length - 1024 - 512;
  flipped[lastBlob] = (flipped[lastBlob] ?? 0) ^ 1;
  writeFileSync(out('flipped-byte'), flipped);
  expect('flipped-byte', 'blobs', 'BLOB_MISMATCH');

  writeFileSync(out('truncated'), tar.subarray(0, tar.length - 4096));
  expect('truncated', 'container', 'TAR_TRUNCATED');

  writeFileSync(out('trailing-bytes'), Buffer.concat([tar, Buffer.alloc(512, 0x41)]));
  expect('trailing-bytes', 'container', 'TAR_TRAILING');

  await altered(maker, good, 'signature-removed', out, (envelope) => ({
    ...envelope,
    signatures: envelope.signatures.slice(1),
  }));
  expect('signature-removed', 'signatures', 'THRESHOLD_NOT_MET');

  await altered(maker, good, 'unsigned', out, (envelope) => ({ ...envelope, signatures: [] }));
  expect('unsigned', 'envelope', 'UNSIGNED');

  await altered(maker, good, 'one-signature-twice', out, (envelope) => ({
    ...envelope,
    signatures: [envelope.signatures[0], envelope.signatures[0]],
  }));
  expect('one-signature-twice', 'signatures', 'THRESHOLD_NOT_MET');

  await altered(maker, good, 'payload-changed', out, (envelope) => ({
    ...envelope,
    payload: Buffer.from(
      Buffer.from(envelope.payload, 'base64').toString().replace('"audience":[]', '"audience":["elsewhere"]'),
    ).toString('base64'),
  }));
  expect('payload-changed', 'signatures', 'NO_TRUSTED_SIGNATURE');

  const wrongRole = await maker.build('wrong-role', 1, null);
  await maker.sign(wrongRole.directory, 'dave');
  await packBundle(wrongRole.directory, out('wrong-role'));
  expect('wrong-role', 'signatures', 'ROLE_NOT_HELD');

  const stranger = await maker.build('unknown-key', 1, null);
  await maker.sign(stranger.directory, 'mallory');
  await packBundle(stranger.directory, out('unknown-key'));
  expect('unknown-key', 'signatures', 'NO_TRUSTED_SIGNATURE');
  return expected;
}

type EnvelopeJson = { payloadType: string; payload: string; signatures: unknown[] };

/** A copy of a bundle whose envelope is another, packed. */
async function altered(
  maker: SampleMaker,
  good: string,
  name: string,
  out: (name: string) => string,
  change: (envelope: EnvelopeJson) => unknown,
): Promise<void> {
  const directory = join(maker.scratch, `${name}.bundle`);
  cpSync(good, directory, { recursive: true });
  const file = join(directory, 'bundle.dsse.json');
  writeFileSync(file, canonicalJson(change(JSON.parse(readFileSync(file, 'utf8')) as EnvelopeJson)));
  await packBundle(directory, out(name));
}

import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { encodeTarHeader, TAR_END_BYTES, tarPadding } from '../../src/archive/tar-header.ts';
import { BUNDLE_PAYLOAD_TYPE } from '../../src/bundle/format.ts';
import { compareBundleNames } from '../../src/bundle/layout.ts';
import { packBundle } from '../../src/bundle/pack-io.ts';
import { encodeEnvelope, parseEnvelope, signEnvelope } from '../../src/core/dsse.ts';
import { canonicalJson, encodeCanonicalJson } from '../../src/core/jcs.ts';
import { exampleKey } from './keys.ts';
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

  await said('wrong-audience', { audience: ['another-enclave'] });
  expect('wrong-audience', 'audience', 'NOT_FOR_THIS_ENCLAVE');
  await said('critical-unknown', { critical: ['self-destruct'] });
  expect('critical-unknown', 'critical', 'CRITICAL_UNKNOWN');
  await said('needs-newer-program', { requires: { daemoneye: '999.0.0' } });
  expect('needs-newer-program', 'requires', 'REQUIRES_TOOL');
  await said('issued-after-its-root', { issuedAt: '2036-11-23T12:00:00.000Z' });
  expect('issued-after-its-root', 'freshness', 'ISSUED_AFTER_ROOT_EXPIRES');
  // Over before its trust root was issued, which is the least that the time floor can be.
  await said('expired', { issuedAt: '2026-11-01T12:00:00.000Z', expires: '2026-11-02T12:00:00.000Z' });
  expect('expired', 'freshness', 'EXPIRED');

  // The signers of the rules role sign a path that climbs out of the place it is unpacked in.
  await climbing(maker, good, 'path-climbs', out);
  expect('path-climbs', 'index', 'PATH_TRAVERSAL');

  // A member under a name that no bundle has, and one that is there twice: both with headers as a tar writer makes them.
  const named = Buffer.concat([tar.subarray(0, -1024), member('autorun.inf', 'open=evil'), tar.subarray(-1024)]);
  writeFileSync(out('foreign-member'), named);
  expect('foreign-member', 'container', 'UNKNOWN_NAME');
  const envelope = readFileSync(join(good, 'bundle.dsse.json'), 'utf8');
  writeFileSync(out('envelope-twice'), Buffer.concat([member('bundle.dsse.json', envelope), tar]));
  expect('envelope-twice', 'container', 'TAR_DUPLICATE');
  return expected;

  /** The good one with other facts in its statement, signed anew by those who may. */
  async function said(name: string, facts: Readonly<Record<string, unknown>>): Promise<void> {
    await restated(maker, good, name, out, (_directory, statement) => ({
      ...statement,
      predicate: { ...statement.predicate, ...facts },
    }));
  }
}

type StatementJson = {
  readonly subject: readonly { readonly digest: { readonly sha256: string } }[];
  readonly predicate: { readonly index: { readonly size: number; readonly lines: number } };
};

/** A copy of a bundle with another statement, signed by alice and bob without a word of ours against it. */
async function restated(
  maker: SampleMaker,
  good: string,
  name: string,
  out: (name: string) => string,
  change: (directory: string, statement: StatementJson) => unknown,
): Promise<void> {
  const directory = join(maker.scratch, `${name}.bundle`);
  cpSync(good, directory, { recursive: true });
  const file = join(directory, 'bundle.dsse.json');
  const { payloadType, payload } = parseEnvelope(new Uint8Array(readFileSync(file)), BUNDLE_PAYLOAD_TYPE);
  const statement = change(directory, JSON.parse(Buffer.from(payload).toString()) as StatementJson);
  const unsigned = { payloadType, payload: encodeCanonicalJson(statement), signatures: [] };
  writeFileSync(file, encodeEnvelope([exampleKey('alice'), exampleKey('bob')].reduce(signEnvelope, unsigned)));
  await writeTarOf(directory, out(name));
}

async function climbing(maker: SampleMaker, good: string, name: string, out: (name: string) => string): Promise<void> {
  await restated(maker, good, name, out, (directory, statement) => {
    const path = join(directory, 'index.jsonl');
    const index = readFileSync(path, 'utf8').replace(/"path":"[^"]*"/, '"path":"../../etc/cron.d/evil"');
    writeFileSync(path, index);
    const [subject] = statement.subject;
    const sha256 = createHash('sha256').update(index).digest('hex');
    return {
      ...statement,
      subject: [{ ...subject, digest: { sha256 } }],
      predicate: { ...statement.predicate, index: { ...statement.predicate.index, size: index.length } },
    };
  });
}

/** As `packBundle`, which would refuse these, does it. */
async function writeTarOf(directory: string, out: string): Promise<void> {
  const names = readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(directory, join(entry.parentPath, entry.name)).replaceAll('\\', '/'))
    .sort(compareBundleNames);
  const members = names.map((name) => member(name, readFileSync(join(directory, name))));
  writeFileSync(out, Buffer.concat([...members, new Uint8Array(TAR_END_BYTES)]));
}

function member(name: string, content: string | Uint8Array): Uint8Array {
  const bytes = Buffer.from(content);
  return Buffer.concat([encodeTarHeader(name, bytes.length), bytes, new Uint8Array(tarPadding(bytes.length))]);
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

import { execFileSync } from 'node:child_process';
import { createHash, sign } from 'node:crypto';
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openLayout } from '../../../../src/cli/release/layout-io.ts';
import { decidingCheck, verdictOf } from '../../../../src/core/checks.ts';
import type { Choice } from '../../../../src/verify/release/oci/choose-image.ts';
import { verifyOciLayout } from '../../../../src/verify/release/oci/verify-layout.ts';
import { releaseKeyFromSpki } from '../../../../src/verify/release/release-key.ts';
import { readCosignBundle, readDetachedCosign } from '../../../../src/verify/release/sigstore/cosign.ts';
import { readTrustedRoot } from '../../../../src/verify/release/sigstore/trusted-root.ts';
import { type SigstoreTrust, verifyReadBundle } from '../../../../src/verify/release/sigstore/verify-bundle.ts';
import { expectCode } from '../../../support/expect-code.ts';
import {
  attestationBundle,
  bundleBytes,
  leaf,
  messageBundle,
  OWN_IDENTITY,
  OWN_ISSUER,
  ownRoot,
  pemOf,
  statementAbout,
} from '../../../support/sigstore-authority.ts';
import { artifactOf } from '../../../support/sigstore-vectors.ts';
import { tempDirectory } from '../../../support/temp.ts';

const signer = leaf();
const root = readTrustedRoot(ownRoot(), 'own');
const trust: SigstoreTrust = { root, identity: { identity: OWN_IDENTITY, issuer: OWN_ISSUER } };
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

type Described = { mediaType: string; digest: string; size: number; annotations?: Record<string, string> };

/** An OCI layout in the making: blobs under their digests, and the list of manifests. */
class Layout {
  readonly directory = tempDirectory();
  readonly manifests: Described[] = [];

  constructor() {
    mkdirSync(join(this.directory, 'blobs/sha256'), { recursive: true });
    writeFileSync(join(this.directory, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  }

  blob(content: Uint8Array | object, mediaType: string, annotations?: Record<string, string>): Described {
    const bytes = content instanceof Uint8Array ? content : Buffer.from(JSON.stringify(content));
    writeFileSync(this.path(sha256(bytes)), bytes);
    const described = { mediaType, digest: `sha256:${sha256(bytes)}`, size: bytes.length };
    return annotations === undefined ? described : { ...described, annotations };
  }

  path(hex: string): string {
    return join(this.directory, 'blobs/sha256', hex);
  }

  /** An image of one layer. */
  image(text: string, annotations?: Record<string, string>): Described {
    const manifest = {
      schemaVersion: 2,
      config: this.blob({ of: text }, 'application/vnd.oci.image.config.v1+json'),
      layers: [this.blob(Buffer.from(text), 'application/vnd.oci.image.layer.v1.tar')],
    };
    const described = this.blob(manifest, 'application/vnd.oci.image.manifest.v1+json', annotations);
    this.manifests.push(described);
    return described;
  }

  attach(layers: readonly Described[], annotations: Record<string, string> = {}, more: object = {}): void {
    const manifest = { schemaVersion: 2, config: this.blob({}, 'application/vnd.oci.empty.v1+json'), layers, ...more };
    this.manifests.push(this.blob(manifest, 'application/vnd.oci.image.manifest.v1+json', annotations));
  }

  verify(choice: Choice = {}, by: SigstoreTrust = trust): string | undefined {
    writeFileSync(join(this.directory, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: this.manifests }));
    const source = openLayout(this.directory, new AbortController().signal);
    const { checks, signers } = verifyOciLayout(source, choice, by);
    if (verdictOf(checks) === 'trusted') return undefined;
    expect(signers).toEqual([]);
    const deciding = decidingCheck({ checks } as never);
    return `${deciding?.name} ${deciding?.code}`;
  }
}

type Entry = {
  canonicalizedBody: string;
  integratedTime: string;
  logIndex: string;
  logId: { keyId: string };
  inclusionPromise: { signedEntryTimestamp: string };
};

/** What cosign keeps of a bundle made here: signature and log entry. */
function cosignParts(payload: Uint8Array, of = signer, plainKey = false): { signature: string; rekorBundle: object } {
  const bundle = messageBundle(of, payload, { plainKey }) as never as {
    messageSignature: { signature: string };
    verificationMaterial: { tlogEntries: [Entry] };
  };
  const [entry] = bundle.verificationMaterial.tlogEntries;
  return {
    signature: bundle.messageSignature.signature,
    rekorBundle: {
      SignedEntryTimestamp: entry.inclusionPromise.signedEntryTimestamp,
      Payload: {
        body: entry.canonicalizedBody,
        integratedTime: Number(entry.integratedTime),
        logIndex: Number(entry.logIndex),
        logID: Buffer.from(entry.logId.keyId, 'base64').toString('hex'),
      },
    },
  };
}

const payloadFor = (digest: string, type = 'cosign container image signature'): Buffer =>
  Buffer.from(
    JSON.stringify({
      critical: { identity: { 'docker-reference': 'x' }, image: { 'docker-manifest-digest': digest }, type },
      optional: null,
    }),
  );

const SIMPLE = 'application/vnd.dev.cosign.simplesigning.v1+json';
const BUNDLE = 'application/vnd.dev.sigstore.bundle.v0.3+json';

function simpleLayer(layout: Layout, payload: Buffer, changes: Record<string, string> = {}): Described {
  const { signature, rekorBundle } = cosignParts(payload);
  return layout.blob(payload, SIMPLE, {
    'dev.cosignproject.cosign/signature': signature,
    'dev.sigstore.cosign/certificate': pemOf('CERTIFICATE', signer.der),
    'dev.sigstore.cosign/bundle': JSON.stringify(rekorBundle),
    ...changes,
  });
}

const tagOf = ({ digest }: Described): Record<string, string> => ({
  'org.opencontainers.image.ref.name': `${digest.replace(':', '-')}.sig`,
});

function bundleLayer(layout: Layout, image: Described): Described {
  const statement = statementAbout([{ name: 'x', digest: { sha256: image.digest.slice(7) } }]);
  return layout.blob(bundleBytes(attestationBundle(signer, statement)), BUNDLE);
}

describe('an OCI layout', () => {
  it('is accepted with a signature of cosign’s, under its tag or as cosign save puts it', () => {
    const tagged = new Layout();
    const image = tagged.image('a');
    tagged.attach([simpleLayer(tagged, payloadFor(image.digest))], tagOf(image));
    expect(tagged.verify()).toBeUndefined();
    const saved = new Layout();
    const own = saved.image('a', { kind: 'dev.cosignproject.cosign/image' });
    saved.attach([simpleLayer(saved, payloadFor(own.digest))], { kind: 'dev.cosignproject.cosign/sigs' });
    expect(saved.verify()).toBeUndefined();
  });

  it('is accepted with a sigstore bundle that refers to it', () => {
    const layout = new Layout();
    const image = layout.image('a');
    layout.attach([bundleLayer(layout, image)], {}, { subject: image, artifactType: BUNDLE });
    expect(layout.verify()).toBeUndefined();
    const listed = new Layout();
    const other = listed.image('a');
    const manifest = { schemaVersion: 2, layers: [bundleLayer(listed, other)], subject: other, artifactType: BUNDLE };
    const index = {
      schemaVersion: 2,
      manifests: [listed.blob(manifest, 'application/vnd.oci.image.manifest.v1+json')],
    };
    listed.manifests.push(
      listed.blob(index, 'application/vnd.oci.image.index.v1+json', {
        'org.opencontainers.image.ref.name': other.digest.replace(':', '-'),
      }),
    );
    expect(listed.verify()).toBeUndefined();
  });

  it('is refused when a signature is of another image, whatever it is attached to', () => {
    const layout = new Layout();
    const image = layout.image('a');
    layout.attach([simpleLayer(layout, payloadFor(`sha256:${'0'.repeat(64)}`))], tagOf(image));
    expect(layout.verify()).toBe('image SUBJECT_MISMATCH');
    const bundled = new Layout();
    const own = bundled.image('a');
    bundled.attach([bundleLayer(bundled, { ...own, digest: `sha256:${'0'.repeat(64)}` })], {}, { subject: own });
    expect(bundled.verify()).toBe('artifact SUBJECT_MISMATCH');
  });

  it.each([
    [
      'another signature',
      { 'dev.cosignproject.cosign/signature': cosignParts(Buffer.from('x')).signature },
      'transparency-log LOG_ENTRY_MISMATCH',
    ],
    ['no signature', { 'dev.cosignproject.cosign/signature': '' }, 'material MATERIAL_MALFORMED'],
    ['no log entry', { 'dev.sigstore.cosign/bundle': '' }, 'times TIMESTAMP_REFUSED'],
    [
      'a log entry of another payload',
      { 'dev.sigstore.cosign/bundle': JSON.stringify(cosignParts(Buffer.from('x')).rekorBundle) },
      'transparency-log LOG_ENTRY_MISMATCH',
    ],
    [
      'another certificate',
      { 'dev.sigstore.cosign/certificate': pemOf('CERTIFICATE', leaf().der) },
      'transparency-log LOG_ENTRY_MISMATCH',
    ],
    ['no certificate', { 'dev.sigstore.cosign/certificate': '' }, 'material KEY_MISSING'],
    [
      'two certificates',
      { 'dev.sigstore.cosign/certificate': pemOf('CERTIFICATE', signer.der).repeat(2) },
      'material MATERIAL_MALFORMED',
    ],
    ['a log entry that is none', { 'dev.sigstore.cosign/bundle': '{}' }, 'material MATERIAL_MALFORMED'],
  ])('is refused with %s', (_, changes, expected) => {
    const layout = new Layout();
    const image = layout.image('a');
    layout.attach([simpleLayer(layout, payloadFor(image.digest), changes as never)], tagOf(image));
    expect(layout.verify()).toBe(expected);
  });

  it('is refused when the signed document is of another type', () => {
    const layout = new Layout();
    const image = layout.image('a');
    layout.attach([simpleLayer(layout, payloadFor(image.digest, 'something else'))], tagOf(image));
    expect(layout.verify()).toBe('image SUBJECT_MISMATCH');
  });

  it('is refused without a signature', () => {
    const layout = new Layout();
    const image = layout.image('a');
    expect(layout.verify()).toBe('signed UNSIGNED');
    layout.attach([layout.blob(Buffer.from('sbom'), 'text/spdx')], tagOf(image));
    expect(layout.verify()).toBe('signature UNSIGNED');
  });

  it('asks which image, when there are several', () => {
    const layout = new Layout();
    const first = layout.image('a', { 'org.opencontainers.image.ref.name': 'v1' });
    const second = layout.image('b', { 'org.opencontainers.image.ref.name': 'v2' });
    layout.attach([simpleLayer(layout, payloadFor(second.digest))], tagOf(second));
    expect(layout.verify()).toBe('layout LAYOUT_AMBIGUOUS');
    expect(layout.verify({ name: 'v2' })).toBeUndefined();
    expect(layout.verify({ digest: second.digest })).toBeUndefined();
    expect(layout.verify({ digest: first.digest })).toBe('signed UNSIGNED');
    expect(layout.verify({ name: 'v3' })).toBe('layout LAYOUT_MALFORMED');
    expect(layout.verify({ name: 'v1', digest: second.digest })).toBe('layout LAYOUT_MALFORMED');
  });

  it('is refused when any blob of the image is missing or altered', () => {
    const layout = new Layout();
    const image = layout.image('a');
    layout.attach([simpleLayer(layout, payloadFor(image.digest))], tagOf(image));
    const layer = layout.path(sha256(Buffer.from('a')));
    writeFileSync(layer, 'b');
    expect(layout.verify()).toBe('blobs BLOB_MISMATCH');
    writeFileSync(layer, 'aa');
    expect(layout.verify()).toBe('blobs BLOB_MISMATCH');
    writeFileSync(layout.path(image.digest.slice(7)), '{}');
    expect(layout.verify()).toBe('layout BLOB_MISMATCH');
  });

  it('does not follow a link', () => {
    const layout = new Layout();
    const manifest = Buffer.from('{"schemaVersion":2}');
    const outside = join(tempDirectory(), 'outside');
    writeFileSync(outside, manifest);
    symlinkSync(outside, layout.path(sha256(manifest)));
    layout.manifests.push({ mediaType: 'x', digest: `sha256:${sha256(manifest)}`, size: manifest.length });
    expect(layout.verify()).toBe('layout BLOB_MISSING');
  });

  it.each([
    'sha256:../../../../etc/passwd',
    'sha512:00',
    `sha256:${'A'.repeat(64)}`,
    'sha256:',
    '',
    `sha256:${'0'.repeat(64)}/..`,
  ])('has no digest %s', (digest) => {
    const layout = new Layout();
    layout.manifests.push({ mediaType: 'x', digest, size: 1 });
    expect(layout.verify()).toBe('layout LAYOUT_MALFORMED');
  });

  const IMAGE = 'application/vnd.oci.image.manifest.v1+json';
  const INDEX = 'application/vnd.oci.image.index.v1+json';
  it.each<[string, object, string]>([
    ['an image and a list of images', { manifests: [], layers: [] }, INDEX],
    ['a list of images with a configuration', { manifests: [], config: {} }, INDEX],
    ['an image that is listed as a list', { mediaType: IMAGE, layers: [] }, INDEX],
    ['a list that is listed as an image', { mediaType: INDEX, manifests: [] }, IMAGE],
    ['of a type that is no text', { mediaType: 1, layers: [] }, IMAGE],
  ])('holds nothing that is %s', (_, json, mediaType) => {
    const layout = new Layout();
    const image = layout.blob({ schemaVersion: 2, ...json }, mediaType);
    layout.manifests.push(image);
    layout.attach([bundleLayer(layout, image)], {}, { subject: image });
    expect(layout.verify()).toBe('layout LAYOUT_MALFORMED');
  });

  it('is refused when a signature has its SHA-256 and another SHA-512', () => {
    const layout = new Layout();
    const image = layout.image('a');
    const digest = { sha256: image.digest.slice(7), sha512: '0'.repeat(128) };
    const bundle = attestationBundle(signer, statementAbout([{ name: 'x', digest }]));
    layout.attach([layout.blob(bundleBytes(bundle), BUNDLE)], {}, { subject: image });
    expect(layout.verify()).toBe('artifact SUBJECT_MISMATCH');
  });

  it('is accepted by one good signature behind one of another image by the same signer', () => {
    const layout = new Layout();
    const image = layout.image('a');
    layout.attach([simpleLayer(layout, payloadFor(`sha256:${'0'.repeat(64)}`))], tagOf(image));
    layout.attach([bundleLayer(layout, image)], {}, { subject: image });
    expect(layout.verify()).toBeUndefined();
  });

  it('of lists of lists is not read without end', () => {
    const layout = new Layout();
    const image = layout.image('a');
    const inner = { schemaVersion: 2, manifests: Array.from({ length: 4000 }, () => image) };
    const referrers = { 'org.opencontainers.image.ref.name': `sha256-${'0'.repeat(64)}` };
    for (const extra of ['', ' '])
      layout.manifests.push(layout.blob(Buffer.from(JSON.stringify(inner) + extra), INDEX, referrers));
    expect(layout.verify()).toBe('layout LAYOUT_MALFORMED');
  });

  it.each(['index.json', 'oci-layout', 'blobs'])('is refused when its %s is not what it should be', (name) => {
    const layout = new Layout();
    layout.image('a');
    layout.verify();
    const path = join(layout.directory, name);
    const outside = join(tempDirectory(), 'outside');
    const source = () => openLayout(layout.directory, new AbortController().signal);
    renameSync(path, outside);
    if (name === 'blobs') {
      writeFileSync(path, 'a file');
      expect(source().readBlob('0'.repeat(64), 1)).toBeUndefined();
      expect(source().hashBlob('0'.repeat(64))).toBeUndefined();
      return;
    }
    symlinkSync(outside, path);
    expectCode(source, 'LAYOUT_MALFORMED');
    rmSync(path);
    // A pipe that nobody writes into.
    execFileSync('mkfifo', [path]);
    expectCode(source, 'LAYOUT_MALFORMED');
    rmSync(path);
    expectCode(source, name === 'oci-layout' ? 'FILE_NOT_FOUND' : 'LAYOUT_MALFORMED');
  });

  it('tells as what the image was signed', () => {
    const layout = new Layout();
    const image = layout.image('a');
    layout.attach([simpleLayer(layout, payloadFor(image.digest))], tagOf(image));
    expect(layout.verify()).toBeUndefined();
    const { checks } = verifyOciLayout(openLayout(layout.directory, new AbortController().signal), {}, trust);
    expect(checks.find(({ name }) => name === 'image')?.reason).toBe('the signed document names this image, as x');
  });

  it('ends when an index holds itself a thousand times, and is none without its marker', () => {
    const layout = new Layout();
    const many = {
      schemaVersion: 2,
      manifests: Array.from({ length: 5000 }, () => ({ mediaType: 'x', digest: `sha256:${'0'.repeat(64)}`, size: 1 })),
    };
    layout.manifests.push(layout.blob(many, 'application/vnd.oci.image.index.v1+json'));
    expect(layout.verify()).toBe('blobs LAYOUT_MALFORMED');
    writeFileSync(join(layout.directory, 'oci-layout'), '{}');
    expectCode(() => layout.verify(), 'LAYOUT_MALFORMED');
  });
});

describe('cosign’s signatures of files', () => {
  const ARTIFACT = Buffer.from('the release\n');
  const artifact = artifactOf(ARTIFACT);
  const { signature, rekorBundle } = cosignParts(ARTIFACT);
  const cert = Buffer.from(pemOf('CERTIFICATE', signer.der)).toString('base64');
  const verified = (json: object, what = artifact): string | undefined => {
    const { checks } = verifyReadBundle(what, () => readCosignBundle(Buffer.from(JSON.stringify(json))), trust);
    const deciding = decidingCheck({ checks } as never);
    return verdictOf(checks) === 'trusted' ? undefined : `${deciding?.name} ${deciding?.code}`;
  };

  it('in a bundle of its own are accepted', () => {
    expect(verified({ base64Signature: signature, cert, rekorBundle })).toBeUndefined();
  });

  it('are refused over another file, or with something changed', () => {
    const other = artifactOf(Buffer.from('x'));
    expect(verified({ base64Signature: signature, cert, rekorBundle }, other)).toBe('artifact ARTIFACT_MISMATCH');
    expect(verified({ base64Signature: signature, rekorBundle })).toBe('material KEY_MISSING');
    expect(verified({ base64Signature: signature, cert: 'AAAA', rekorBundle })).toBe('material MATERIAL_MALFORMED');
    expect(verified({ base64Signature: signature, cert, rekorBundle, extra: 1 })).toBe('material MATERIAL_MALFORMED');
    expect(verified({ base64Signature: signature, cert })).toBe('material MATERIAL_MALFORMED');
    const later = structuredClone(rekorBundle) as { Payload: { integratedTime: number } };
    later.Payload.integratedTime += 1;
    expect(verified({ base64Signature: signature, cert, rekorBundle: later })).toBe(
      'transparency-log LOG_ENTRY_REFUSED',
    );
  });

  it('alone need a key: a certificate alone proves no time', () => {
    const hash = createHash('sha256').update(ARTIFACT).digest();
    const detached = Buffer.from(`${sign('sha256', ARTIFACT, signer.key.privateKey).toString('base64')}\n`);
    const key = releaseKeyFromSpki(signer.key.publicKey.export({ format: 'der', type: 'spki' }));
    const judge = (what: typeof artifact, by: SigstoreTrust, certificate?: Uint8Array) => {
      const { checks } = verifyReadBundle(what, () => readDetachedCosign(detached, hash, certificate), by);
      return verdictOf(checks) === 'trusted' ? undefined : decidingCheck({ checks } as never)?.code;
    };
    const offline: SigstoreTrust = { root, key, thresholds: { logs: 0 } };
    expect(judge(artifact, offline)).toBeUndefined();
    expect(judge(artifact, { root, key })).toBe('LOG_ENTRY_REFUSED');
    expect(judge(artifactOf(Buffer.from('x')), offline)).toBe('ARTIFACT_MISMATCH');
    expect(judge(artifact, trust, Buffer.from(pemOf('CERTIFICATE', signer.der)))).toBe('TIMESTAMP_REFUSED');
    expect(judge(artifact, trust, Buffer.from(cert))).toBe('TIMESTAMP_REFUSED');
  });
});

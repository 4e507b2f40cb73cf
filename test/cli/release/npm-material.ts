import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import {
  attestationBundle,
  leaf,
  ownRoot,
  type SignedBundle,
  statementAbout,
} from '../../support/sigstore-authority.ts';
import { DATA } from './place.ts';

/** What a registry of one's own says of `tool.tar` as `@org/tool@1.2.3`; everything is signed for real. */

const registry = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const KEY_NAME = 'SHA256:registry';
export const SLSA = 'https://slsa.dev/provenance/v1';
const PUBLISH = 'https://github.com/npm/attestation/tree/main/specs/publish/v0.1';
export const BUILDER = 'https://builder.example';

export const registryKeys = JSON.stringify({
  keys: [
    {
      keyid: KEY_NAME,
      expires: null,
      keytype: 'ecdsa-sha2-nistp256',
      scheme: 'ecdsa-sha2-nistp256',
      key: registry.publicKey.export({ format: 'der', type: 'spki' }).toString('base64'),
    },
  ],
});

const sha512 = (data: Uint8Array) => createHash('sha512').update(data).digest();

/** As `npm view --json` prints it. */
export function registryMetadata(name = '@org/tool', version = '1.2.3', data: Uint8Array = DATA): string {
  const integrity = `sha512-${sha512(data).toString('base64')}`;
  const sig = sign('sha256', Buffer.from(`${name}@${version}:${integrity}`), registry.privateKey).toString('base64');
  return JSON.stringify({ name, version, dist: { integrity, signatures: [{ keyid: KEY_NAME, sig }] } });
}

/** As the registry answers for a version. */
export function attestations(version = '1.2.3', data: Uint8Array = DATA): string {
  const subject = [{ name: `pkg:npm/%40org/tool@${version}`, digest: { sha512: sha512(data).toString('hex') } }];
  const provenance = { buildDefinition: { buildType: 't' }, runDetails: { builder: { id: BUILDER } } };
  const published = attestationBundle({ der: Buffer.alloc(0), key: registry }, statementAbout(subject, PUBLISH), {
    plainKey: true,
  }) as { verificationMaterial: { publicKey: { hint: string } } } & SignedBundle;
  published.verificationMaterial.publicKey.hint = KEY_NAME;
  const built = attestationBundle(leaf(), statementAbout(subject, SLSA, provenance));
  return JSON.stringify({
    attestations: [
      { predicateType: PUBLISH, bundle: published },
      { predicateType: SLSA, bundle: built },
    ],
  });
}

export const NPM_FILES: Readonly<Record<string, string | Uint8Array>> = {
  'attestations.json': attestations(),
  'metadata.json': registryMetadata(),
  'trust/npm.json': registryKeys,
  'trust/root.json': new Uint8Array(ownRoot()),
};

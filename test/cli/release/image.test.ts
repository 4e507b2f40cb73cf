import { describe, expect, it } from 'vitest';
import { leaf, messageBundle, OWN_IDENTITY, OWN_ISSUER, ownRoot, pemOf } from '../../support/sigstore-authority.ts';
import { imageLayout } from './image-layout.ts';
import { DATA, place, verify } from './place.ts';

const signer = leaf();
const WHO = ['--trusted-root', '@trust/root.json', '--identity', OWN_IDENTITY, '--issuer', OWN_ISSUER];
const layout = (about?: string, layer?: string) => {
  const { files, digest } = imageLayout(signer, about, layer);
  return { where: place({ ...files, 'trust/root.json': new Uint8Array(ownRoot()) }), digest };
};

describe('release verify of an image in an OCI layout', () => {
  it('trusts the named identity, by what lies in the layout', async () => {
    const { where, digest } = layout();
    const { report } = await verify(where, '@image', ...WHO);
    expect(report.verdict).toBe('trusted');
    expect(report.signers).toMatchObject([{ identity: OWN_IDENTITY }]);
    expect((await verify(where, '@image', ...WHO, '--image', digest)).report.verdict).toBe('trusted');
  });

  it('refuses another identity, another image, and a changed layer', async () => {
    const other = [...WHO.slice(0, 3), 'https://evil.example', ...WHO.slice(4)];
    expect((await verify(layout().where, '@image', ...other)).report.verdict).toBe('refused');
    expect((await verify(layout('0'.repeat(64)).where, '@image', ...WHO)).report.verdict).toBe('refused');
    const { codes } = await verify(layout(undefined, 'evil!').where, '@image', ...WHO);
    expect(codes).toContainEqual(['blobs', 'BLOB_MISMATCH']);
  });

  it.each<[string, string[], string]>([
    ['what judges no image', ['@image', '--minisign', '@trust/mini.pub'], 'sigstore signatures in it alone'],
    ['nobody to trust', ['@image'], '--identity and --issuer'],
    ['an image name for a file', ['@tool.tar', '--image', 'x'], 'OCI layout'],
  ])('asks: %s', async (_, args, hint) => {
    const ran = await layout().where.run(...args);
    expect([ran.code, ran.stdout]).toEqual([2, '']);
    expect(ran.stderr).toContain(hint);
  });
});

describe('release verify of a bundle by a plain key', () => {
  const files = {
    'trust/root.json': new Uint8Array(ownRoot()),
    'trust/pub.pem': pemOf('PUBLIC KEY', signer.key.publicKey.export({ format: 'der', type: 'spki' })),
    'tool.json': JSON.stringify(messageBundle(signer, DATA, { plainKey: true })),
  };
  const keyed = ['@tool.tar', '--bundle', '@tool.json', '--key', '@trust/pub.pem'];

  it('wants the signature in a log of the named root', async () => {
    expect((await verify(place(files), ...keyed, '--trusted-root', '@trust/root.json')).report.verdict).toBe('trusted');
    expect((await verify(place(files), ...keyed)).report.verdict).toBe('refused');
  });

  it('that is in no log is accepted only when asked for', async () => {
    const { verificationMaterial, ...rest } = messageBundle(signer, DATA, { plainKey: true }) as {
      verificationMaterial: object;
    };
    const bare = JSON.stringify({ ...rest, verificationMaterial: { ...verificationMaterial, tlogEntries: [] } });
    const where = place({ ...files, 'tool.json': bare });
    expect((await verify(where, ...keyed, '--trusted-root', '@trust/root.json')).report.verdict).toBe('refused');
    expect((await verify(where, ...keyed, '--without-log')).report.verdict).toBe('trusted');
  });
});

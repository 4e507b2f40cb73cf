import { describe, expect, it } from 'vitest';
import { utf8 } from '../../../../src/core/bytes.ts';
import { PUBLIC_GOOD_ROOT } from '../../../../src/verify/release/sigstore/public-good-root.ts';
import { publicGoodRoot, readTrustedRoot } from '../../../../src/verify/release/sigstore/trusted-root.ts';
import { expectCode } from '../../../support/expect-code.ts';

type Change = (root: { [key: string]: never }) => void;

/** The public-good root after a change. */
function changed(change: (root: never) => void): Uint8Array {
  const root = JSON.parse(PUBLIC_GOOD_ROOT) as never;
  change(root);
  return utf8(JSON.stringify(root));
}

describe('the public-good root', () => {
  it('is the one that was published', () => {
    const { digest, source, newestStart } = publicGoodRoot();
    expect(digest).toBe('sha256:6494e21ea73fa7ee769f85f57d5a3e6a08725eae1e38c755fc3517c9e6bc0b66');
    expect(source).toContain('2026-11-05');
    expect(newestStart).toBe('2025-09-23T00:00:00.000Z');
    const long = readTrustedRoot(utf8(PUBLIC_GOOD_ROOT), source);
    expect([long.digest, long.newestStart]).toEqual([digest, newestStart]);
  });
});

describe('reading a trusted root', () => {
  const tlogs =
    (edit: (log: never) => void): Change =>
    (root) =>
      edit((root['tlogs'] as never)[0]);
  const refused: [string, Change][] = [
    ['of another media type', (root) => Object.assign(root, { mediaType: 'application/json' })],
    ['without authorities', (root) => Object.assign(root, { certificateAuthorities: [] })],
    ['with a member nobody knows', (root) => Object.assign(root, { extra: 1 })],
    ['with a validity that is {}', tlogs((log) => Object.assign((log as never)['publicKey'], { validFor: {} }))],
    ['without a validity', tlogs((log) => Object.assign((log as never)['publicKey'], { validFor: null }))],
    [
      'with a validity in words',
      tlogs((log) => Object.assign((log as never)['publicKey'], { validFor: { start: 'soon' } })),
    ],
    [
      'with a date that is none',
      tlogs((log) => Object.assign((log as never)['publicKey'], { validFor: { start: '2021-13-45T00:00:00Z' } })),
    ],
    [
      'that ends before it starts',
      tlogs((log) =>
        Object.assign((log as never)['publicKey'], {
          validFor: { start: '2022-01-01T00:00:00Z', end: '2021-01-01T00:00:00Z' },
        }),
      ),
    ],
    ['with a key that is none', tlogs((log) => Object.assign((log as never)['publicKey'], { rawBytes: 'AAAA' }))],
    [
      'with a certificate that is none',
      (root) =>
        Object.assign((root['certificateAuthorities'] as never)[0]['certChain'], {
          certificates: [{ rawBytes: 'AAAA' }],
        }),
    ],
  ];
  it.each(refused)('refuses one %s', (_, change) => {
    expectCode(() => readTrustedRoot(changed(change as never), 'x'), 'TRUSTED_ROOT_MALFORMED');
  });

  it.each([
    ['nothing', ''],
    ['a bundle', '{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json"}'],
    [
      'two roots in one',
      PUBLIC_GOOD_ROOT.replace('{', '{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1",'),
    ],
    ['an array', '[]'],
  ])('refuses %s', (_, text) => {
    expectCode(() => readTrustedRoot(utf8(text), 'x'), 'TRUSTED_ROOT_MALFORMED');
  });

  it('refuses 17 MiB without parsing them', () => {
    expectCode(() => readTrustedRoot(new Uint8Array(17 * 1024 * 1024).fill(0x5b), 'x'), 'MATERIAL_TOO_LARGE');
  });
});

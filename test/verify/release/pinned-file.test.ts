import { describe, expect, it } from 'vitest';
import { utf8 } from '../../../src/core/bytes.ts';
import { NPM_REGISTRY_KEYS } from '../../../src/verify/release/npm/public-keys.ts';
import { countsUntil, pinnedParts, standingOf } from '../../../src/verify/release/pinned-file.ts';
import { PUBLIC_GOOD_ROOT } from '../../../src/verify/release/sigstore/public-good-root.ts';
import type { DatedPart } from '../../../src/verify/release/sigstore/root-parts.ts';
import { PIN_KINDS } from '../../../src/verify/release-pins.ts';
import type { PinKind } from '../../../src/verify/root-document.ts';
import { expectCode } from '../../support/expect-code.ts';
import { testKey } from '../../support/keys.ts';
import { ownRoot, SIGNED_AT } from '../../support/sigstore-authority.ts';
import { certificate, DAY, ed25519, say, T0 } from './openpgp/making.ts';
import { minisignKey, signifyKey, sshKeyLine } from './signing.ts';

const OURS = testKey('release');
const FILES: Readonly<Record<PinKind, Uint8Array>> = {
  sigstore: utf8(PUBLIC_GOOD_ROOT),
  'npm-keys': utf8(NPM_REGISTRY_KEYS),
  minisign: utf8(minisignKey(OURS)),
  signify: utf8(signifyKey(OURS).replace('x public', 'signify public')),
  'ssh-signers': utf8(`dev@x ${sshKeyLine(OURS)}\n`),
  'ssh-revoked': utf8(`${sshKeyLine(OURS)}\n`),
  openpgp: certificate(ed25519('pinned'), { self: { more: [say.keyLifetime(100 * DAY)] } }),
  key: utf8(OURS.publicKey.pem),
};

describe('a pinned file', () => {
  const pairs = PIN_KINDS.flatMap((kind) => PIN_KINDS.map((other) => [kind, other] as const));
  // A minisign key and a signify key are the same bytes under another comment: only who pinned it knows.
  const isTwin = (kind: PinKind, other: PinKind) => [kind, other].every((one) => ['minisign', 'signify'].includes(one));

  it.each(pairs.filter(([kind, other]) => kind === other || !isTwin(kind, other)))(
    'of kind %s, read as %s',
    (kind, as) => {
      if (kind === as) expect(pinnedParts(as, FILES[kind])).toBeInstanceOf(Array);
      else expect(() => pinnedParts(as, FILES[kind])).toThrow(expect.objectContaining({ code: expect.any(String) }));
    },
  );

  it('has its dates told: the root that ships', () => {
    const parts = pinnedParts('sigstore', FILES.sigstore);
    expect(parts.map(({ what }) => what)).toEqual([
      'certificate authority',
      'certificate authority',
      'transparency log',
      'transparency log',
      'certificate log',
      'certificate log',
      'timestamp authority',
    ]);
    // The first authority ended by the root's own word, the second will by its certificates.
    expect(parts[0]?.end).toBe('2022-12-31T23:59:59.999Z');
    expect(parts[1]?.end).toMatch(/^203/);
    expect(countsUntil(parts)).toBe(parts[1]?.end);
  });

  it('has its dates told: keys of a registry', () => {
    const parts = pinnedParts('npm-keys', FILES['npm-keys']);
    expect(parts.map(({ end }) => end?.slice(0, 10))).toEqual(['2025-01-29', '2025-01-29', undefined, undefined]);
    expect(countsUntil(parts)).toBeUndefined();
  });

  it('has its dates told: keys of OpenPGP', () => {
    const parts = pinnedParts('openpgp', FILES.openpgp);
    expect(parts.map(({ what, start }) => [what, start])).toEqual([['OpenPGP key', new Date(T0 * 1000).toISOString()]]);
    expect(countsUntil(parts)).toBe(new Date((T0 + 100 * DAY) * 1000).toISOString());
    expectCode(() => pinnedParts('openpgp', certificate(ed25519('pinned'), { flags: 1 })), 'PGP_KEY_USE');
  });

  it('ends with the certificates of its authorities where it names no end', () => {
    const own = pinnedParts('sigstore', ownRoot());
    expect(countsUntil(own)).toBe(new Date((SIGNED_AT + 1e8) * 1000).toISOString());
  });

  it('is refused with a certificate that ends at no moment', () => {
    const root = JSON.parse(ownRoot().toString()) as {
      certificateAuthorities: { certChain: { certificates: { rawBytes: string }[] } }[];
    };
    const [certificate] = root.certificateAuthorities[0]?.certChain.certificates ?? [];
    if (certificate === undefined) throw new Error('no certificate');
    const bytes = Buffer.from(certificate.rawBytes, 'base64').toString('latin1');
    const dates = [...bytes.matchAll(/\d{12}Z/g)];
    const at = dates[1]?.index ?? 0;
    const changed = `${bytes.slice(0, at)}999999999999Z${bytes.slice(at + 13)}`;
    certificate.rawBytes = Buffer.from(changed, 'latin1').toString('base64');
    expectCode(() => pinnedParts('sigstore', utf8(JSON.stringify(root))), 'TRUSTED_ROOT_MALFORMED');
  });
});

describe('a span of time against the floor', () => {
  const [start, end] = ['2026-01-01T00:00:00.000Z', '2027-01-01T00:00:00.000Z'];
  it.each([
    ['2025-12-31T23:59:59.999Z', 'begins-later'],
    ['2026-01-01T00:00:00.000Z', 'counts'],
    ['2026-11-01T00:00:00.000Z', 'counts'],
    ['2026-11-03T00:00:00.000Z', 'ends-soon'],
    ['2027-01-01T00:00:00.000Z', 'ends-soon'],
    ['2027-01-01T00:00:00.001Z', 'ended'],
  ])('at %s %s', (floor, standing) => expect(standingOf({ start, end }, floor)).toBe(standing));

  it('without an end counts for ever', () => expect(standingOf({}, '9999-01-01T00:00:00.000Z')).toBe('counts'));

  it('one kind of part that ended ends it all, one of several does not', () => {
    const part = (what: DatedPart['what'], end?: string): DatedPart => ({ what, name: 'x', ...(end && { end }) });
    const log = part('transparency log');
    expect(countsUntil([part('certificate authority', start), part('certificate authority', end), log])).toBe(end);
    expect(countsUntil([part('certificate authority', end), part('transparency log', start)])).toBe(start);
    expect(countsUntil([part('certificate authority'), log, part('certificate log', start)])).toBeUndefined();
  });
});

import { describe, expect, it } from 'vitest';
import {
  parsePinnedFilePath,
  pinChanges,
  pinHistory,
  pinnedFilePath,
  sayPinChange,
} from '../../src/verify/release-pins.ts';
import { diffRoots } from '../../src/verify/root-diff.ts';
import type { ReleasePin, RootDocument } from '../../src/verify/root-document.ts';
import { nextDraft, sealDraft, withoutReleasePin, withReleasePin } from '../../src/verify/root-draft.ts';
import { parseRoot } from '../../src/verify/trust-root.ts';
import { expectCode } from '../support/expect-code.ts';
import { day, pinnedRoot, rootDocument, rootFile } from '../support/trust.ts';

const hex = (digit: string) => digit.repeat(64);
const pin = (digit: string, kind: ReleasePin['kind'] = 'minisign'): ReleasePin => ({ kind, sha256: hex(digit) });
const parsed = (releases: unknown) =>
  parseRoot(rootFile(rootDocument({ releases: releases as NonNullable<RootDocument['releases']> })).bytes);

describe('pins in a trust root', () => {
  it('are read by name, also under names that every object has', () => {
    const root = parsed({ vendor: pin('a'), constructor: pin('b', 'sigstore') });
    expect([...root.releases]).toEqual([
      ['constructor', pin('b', 'sigstore')],
      ['vendor', pin('a')],
    ]);
    expect(pinnedRoot().releases.get('constructor')).toBeUndefined();
  });

  it.each<[string, unknown]>([
    ['a digest that is too short', { vendor: { kind: 'minisign', sha256: 'a'.repeat(63) } }],
    ['a digest of another length', { vendor: { kind: 'minisign', sha256: 'a'.repeat(128) } }],
    ['a digest in capitals', { vendor: { kind: 'minisign', sha256: 'A'.repeat(64) } }],
    ['a digest with a prefix', { vendor: { kind: 'minisign', sha256: `sha256:${hex('a')}` } }],
    ['a kind nobody knows', { vendor: { kind: 'gpg', sha256: hex('a') } }],
    ['no kind', { vendor: { sha256: hex('a') } }],
    ['a member nobody knows', { vendor: { ...pin('a'), url: 'https://evil.example' } }],
    ['the name of the root that ships', { 'public-good': pin('a', 'sigstore') }],
    ['a path for a name', { '../vendor': pin('a') }],
    ['a name with an escape', { 'vendor\u001b[2J': pin('a') }],
    ['a name that looks like another', { 'v\u0435ndor': pin('a') }],
    ['no name', { '': pin('a') }],
    ['nothing in it', {}],
    ['a list', [pin('a')]],
  ])('are refused with %s', (_, releases) => expectCode(() => parsed(releases), 'ROOT_MALFORMED'));

  it('are refused when there are too many', () => {
    const many = Object.fromEntries(Array.from({ length: 257 }, (_, i) => [`vendor-${i}`, pin('a')]));
    expectCode(() => parsed(many), 'ROOT_MALFORMED');
  });

  it('stay in the next draft until somebody takes them out', () => {
    const draft = withReleasePin(rootDocument(), 'vendor', pin('a'));
    const next = nextDraft(parseRoot(rootFile(draft).bytes), day(1), day(900));
    expect(next.releases).toEqual({ vendor: pin('a') });
    expect(withoutReleasePin(next, 'vendor').releases).toBeUndefined();
    expect(withReleasePin(next, 'vendor', pin('b')).releases).toEqual({ vendor: pin('b') });
    expect(withoutReleasePin(withReleasePin(next, 'other', pin('c')), 'vendor').releases).toEqual({ other: pin('c') });
    expectCode(() => sealDraft(withReleasePin(draft, 'Vendor', pin('a'))), 'ROOT_MALFORMED');
  });
});

describe('what changed of them', () => {
  const roots = [
    rootDocument({ releases: { gone: pin('a'), same: pin('b'), vendor: pin('c') } }),
    rootDocument({ version: 2, releases: { fresh: pin('d'), same: pin('b'), vendor: pin('e') } }),
    rootDocument({ version: 3, releases: { fresh: pin('d', 'signify'), same: pin('b'), vendor: pin('c') } }),
  ].map((document) => parseRoot(rootFile(document).bytes));

  it('is told by the difference of two roots: dropped, swapped, added', () => {
    expect(diffRoots(roots[0], roots[1]).filter(({ field }) => field.startsWith('release'))).toEqual([
      { field: 'release gone', before: `minisign sha256:${hex('a')}`, after: null },
      { field: 'release vendor', before: `minisign sha256:${hex('c')}`, after: `minisign sha256:${hex('e')}` },
      { field: 'release fresh', before: null, after: `minisign sha256:${hex('d')}` },
    ]);
    expect(diffRoots(roots[0], roots[2]).map(({ field }) => field)).toEqual([
      'version',
      'release gone',
      'release fresh',
    ]);
  });

  it('is told version by version, also what was put back', () => {
    expect(pinHistory(roots).map(({ version, name }) => [version, name])).toEqual([
      [2, 'fresh'],
      [2, 'gone'],
      [2, 'vendor'],
      [3, 'fresh'],
      [3, 'vendor'],
    ]);
    expect(pinHistory(roots.slice(2))).toEqual([]);
  });

  it('is said with both digests', () => {
    const said = pinChanges(roots[0]?.document ?? {}, roots[1]?.document ?? {}).map(sayPinChange);
    expect(said).toEqual([
      `fresh is pinned anew, as minisign sha256:${hex('d')}`,
      `gone is pinned no longer; it was minisign sha256:${hex('a')}`,
      `vendor is pinned to another file: from minisign sha256:${hex('c')} to minisign sha256:${hex('e')}`,
    ]);
  });
});

it.each([
  'releases/',
  `releases/${hex('a')}x`,
  `releases/${hex('A')}`,
  `x/releases/${hex('a')}`,
  `releases/a/${hex('a')}`,
])('%s is no path of a pinned file', (path) => {
  expect(parsePinnedFilePath(path)).toBeUndefined();
  expect(parsePinnedFilePath(pinnedFilePath(hex('a')))).toBe(hex('a'));
});

import { describe, expect, it } from 'vitest';
import type { Attestation } from '../../src/bundle/attestations.ts';
import { type DiffSide, diffBundles } from '../../src/bundle/diff.ts';
import type { IndexEntry } from '../../src/bundle/index-lines.ts';
import type { BundleStatement } from '../../src/bundle/statement.ts';
import { utf8 } from '../../src/core/bytes.ts';
import { sha256Digest } from '../../src/core/digest.ts';

const STATEMENT: BundleStatement = {
  kind: 'rules',
  channel: 'rules/x',
  seq: 1,
  prev: null,
  audience: [],
  issuedAt: '2027-01-01T00:00:00.000Z',
  builder: { name: 'daemoneye', version: '0.1.0' },
  requires: {},
  critical: [],
  index: { sha256: '0'.repeat(64), size: 0, lines: 0 },
  bytes: 0,
};

function side(statement: Partial<BundleStatement>, more: Partial<DiffSide> = {}): DiffSide {
  const full = { ...STATEMENT, ...statement };
  const payload = sha256Digest(utf8(JSON.stringify(full)));
  return { payload, statement: full, entries: [], signers: [], root: 1, read: () => undefined, ...more };
}

const entry = (path: string, hash: string, mode: IndexEntry['mode'] = '0644'): IndexEntry => ({
  path,
  mode,
  size: hash.length,
  sha256: hash,
});

describe('what two bundles demand of third parties’ signatures', () => {
  const sigstore = { type: 'sigstore', material: 'x.json', identity: 'dev@x', issuer: 'https://a' } as const;
  const key = (value: string) => ({ type: 'minisign', material: 'x.minisig', key: value }) as const;
  const attested = (path: string, ...attestations: readonly Attestation[]) => ({ ...entry(path, 'aa'), attestations });
  const changes = (before: readonly IndexEntry[] | undefined, after: readonly IndexEntry[]) =>
    diffBundles(before && side({}, { entries: before }), side({}, { entries: after })).attestations;

  it('is told when no byte of the file changed', () => {
    const before = [
      attested('bin/x', key('RWold'), { ...sigstore, policy: { source: 'https://s', ref: 'refs/tags/v1' } }),
    ];
    const after = [
      attested('bin/x', key('RWnew'), { ...sigstore, trustedRoot: 'pin:own', policy: { source: 'https://s' } }),
    ];
    expect(changes(before, after)).toEqual([
      {
        path: 'bin/x',
        material: 'x.json',
        fields: [
          { field: 'policy.ref', before: 'refs/tags/v1', after: null },
          { field: 'trustedRoot', before: null, after: 'pin:own' },
        ],
      },
      { path: 'bin/x', material: 'x.minisig', fields: [{ field: 'key', before: 'RWold', after: 'RWnew' }] },
    ]);
    expect(changes(before, before)).toEqual([]);
  });

  it('is told when it is dropped, new, or of another kind', () => {
    const [plain, demanding] = [[entry('bin/x', 'aa')], [attested('bin/x', key('RWa'))]];
    const fields = (before: string | null, after: string | null) => [
      { field: 'type', before: before && 'minisign', after: after && 'minisign' },
      { field: 'key', before, after },
    ];
    expect(changes(demanding, plain)).toEqual([{ path: 'bin/x', material: 'x.minisig', fields: fields('RWa', null) }]);
    expect(changes(plain, demanding)).toEqual([{ path: 'bin/x', material: 'x.minisig', fields: fields(null, 'RWa') }]);
    expect(changes(undefined, demanding)).toEqual(changes(plain, demanding));
    expect(changes(demanding, [])).toEqual(changes(demanding, plain));
    const other = { ...key('RWa'), type: 'signify' } as const;
    expect(changes(demanding, [attested('bin/x', other)])).toMatchObject([
      { fields: [{ field: 'type', before: 'minisign', after: 'signify' }] },
    ]);
  });
});

describe('two bundles', () => {
  const one = side({});
  const two = side({ seq: 2, prev: one.payload });

  it.each<[string, DiffSide | undefined, DiffSide]>([
    ['first', undefined, one],
    ['same', one, one],
    ['follows', one, two],
    ['skips', one, side({ seq: 3, prev: two.payload })],
    ['precedes', two, one],
    ['fork', one, side({ expires: '2027-02-01T00:00:00.000Z' })],
    ['fork', one, side({ seq: 2, prev: two.payload })],
    ['other-channel', one, side({ channel: 'rules/y', seq: 2, prev: one.payload })],
  ])('are told to be: %s', (relation, before, after) => {
    expect(diffBundles(before, after).relation).toBe(relation);
  });

  it('differ in what their statements say, and nothing of it is left out', () => {
    const changes: Partial<BundleStatement> = {
      kind: 'config',
      channel: 'config/x',
      seq: 9,
      prev: one.payload,
      audience: ['plant-7'],
      issuedAt: '2027-01-02T00:00:00.000Z',
      expires: '2027-02-01T00:00:00.000Z',
      builder: { name: 'other', version: '9' },
      requires: { daemoneye: '1.0.0', root: 2 },
      critical: ['x'],
    };
    const after = side(changes, { signers: ['b', 'a', 'a'], root: 2 });
    expect(diffBundles(one, after).fields.map(({ field }) => field)).toEqual([
      'kind',
      'channel',
      'seq',
      'issuedAt',
      'expires',
      'audience',
      'builder',
      'requires.daemoneye',
      'requires.root',
      'critical',
      'root',
      'signers',
    ]);
    expect(diffBundles(one, after).fields.at(-1)).toEqual({ field: 'signers', before: [], after: ['a', 'b'] });
    // `prev` is told by the relation, index and sizes by the files.
    const told = ['prev', 'index', 'bytes'];
    expect(Object.keys(STATEMENT).filter((name) => !told.includes(name) && !(name in changes))).toEqual([]);
  });

  it('differ in files by digest and mode', () => {
    const before = side({}, { entries: [entry('a', '1'), entry('b', '22'), entry('c', '3'), entry('d', '4')] });
    const after = side({}, { entries: [entry('a', '1'), entry('b', '333'), entry('c', '3', '0755'), entry('e', '4')] });
    expect(diffBundles(before, after).files).toEqual({
      added: [{ path: 'e', mode: '0644', size: 1 }],
      removed: [{ path: 'd', mode: '0644', size: 1 }],
      changed: [
        {
          path: 'b',
          before: { path: 'b', mode: '0644', size: 2 },
          after: { path: 'b', mode: '0644', size: 3 },
        },
        {
          path: 'c',
          before: { path: 'c', mode: '0644', size: 1 },
          after: { path: 'c', mode: '0755', size: 1 },
        },
      ],
      unchanged: 1,
    });
  });
});

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Attestation } from '../../src/bundle/attestations.ts';
import { PROVENANCE_PATH, SBOM_PATH } from '../../src/bundle/format.ts';
import type { IndexEntry } from '../../src/bundle/index-lines.ts';
import { contentCheck } from '../../src/cli/content-check-io.ts';
import { encodeHex, utf8 } from '../../src/core/bytes.ts';
import { decidingCheck } from '../../src/core/checks.ts';
import { sha256 } from '../../src/core/digest.ts';
import { findAttestations } from '../../src/install/attested-files-io.ts';
import { readNoPins } from '../../src/install/pinned-files-io.ts';
import { rollBack } from '../../src/install/rollback-io.ts';
import type { Files } from '../bundle/sample.ts';
import { open } from '../support/enclave.ts';
import { testKey } from '../support/keys.ts';
import { bundleBytes, leaf, messageBundle, OWN_IDENTITY, OWN_ISSUER, ownRoot } from '../support/sigstore-authority.ts';
import { tempDirectory } from '../support/temp.ts';
import { day } from '../support/trust.ts';
import { minisign, minisignKey } from '../verify/release/signing.ts';
import { applyKind, type KindBundle, kindBundle, kindsEnclave, verdictOf } from './kinds-support.ts';

const VENDOR = testKey('vendor');
const TOOL = utf8('#!/bin/sh\necho tool\n');
const LIST = `${encodeHex(sha256(utf8('data\n')))}  data\n`;
const FILES: Files = {
  'bin/tool.sh': TOOL,
  'share/data': 'data\n',
  'sig/data.SUMS': LIST,
  'sig/data.SUMS.minisig': minisign(VENDOR, utf8(LIST)),
  'sig/root.json': ownRoot(),
  'sig/tool.minisig': minisign(VENDOR, TOOL),
  'sig/tool.sigstore.json': bundleBytes(messageBundle(leaf(), TOOL)),
};
const KEY = minisignKey(VENDOR).split('\n')[1] ?? '';
const MINI: Attestation = { type: 'minisign', material: 'sig/tool.minisig', key: KEY };
const SIGSTORE: Attestation = {
  type: 'sigstore',
  material: 'sig/tool.sigstore.json',
  identity: OWN_IDENTITY,
  issuer: OWN_ISSUER,
  trustedRoot: 'sig/root.json',
};
const ATTESTATIONS: readonly (readonly [string, readonly Attestation[]])[] = [
  // Not in order: building sorts them.
  ['bin/tool.sh', [SIGSTORE, MINI]],
  ['share/data', [{ type: 'sums', material: 'sig/data.SUMS' }]],
  ['sig/data.SUMS', [{ type: 'minisign', material: 'sig/data.SUMS.minisig', key: KEY }]],
];

type Plan = Partial<KindBundle> & {
  readonly attestations?: readonly (readonly [string, readonly Attestation[]])[];
  readonly documents?: readonly ('sbom' | 'provenance')[];
};

function update({ attestations = ATTESTATIONS, documents = [], ...plan }: Plan = {}) {
  const change = { attestations: new Map(attestations), documents };
  return kindBundle({ kind: 'update', files: FILES, ...plan, change });
}

const tool = (...list: readonly Attestation[]) => ({ attestations: [['bin/tool.sh', list] as const] });

describe("a vendor's files in a bundle of kind update", () => {
  it('are applied with every signature verified, under the root that came with them', async () => {
    const outcome = await applyKind(await kindsEnclave(), (await update()).path);
    expect(verdictOf(outcome)).toEqual(['applied', undefined]);
    const { reason } = outcome.report.checks.find(({ name }) => name === 'attestations') ?? {};
    expect(reason).toMatch(/^4 third-party signatures over 3 files, .*; certificates by sig\/root\.json, sha256:/);
    // The publisher signed the bundle; vendors are no signers of it.
    expect(outcome.report.signers.map(({ role }) => role)).toEqual(['updates']);
  });

  it.each<[string, Plan, string]>([
    ['the signature of another file', tool({ ...MINI, material: 'sig/data.SUMS.minisig' }), 'MINISIGN_SIGNATURE'],
    ['another identity', tool({ ...SIGSTORE, identity: 'https://evil.example' }), 'IDENTITY_MISMATCH'],
    ['one method for the other', tool({ ...MINI, material: 'sig/tool.sigstore.json' }), 'MINISIGN_MALFORMED'],
    ['one good and one bad', tool(MINI, { ...SIGSTORE, issuer: 'https://evil.example' }), 'ISSUER_MISMATCH'],
    ['another version of the file', { files: { ...FILES, 'bin/tool.sh': 'exit 1\n' } }, 'MINISIGN_SIGNATURE'],
    ['an altered list', { files: { ...FILES, 'sig/data.SUMS': LIST.replace('data', 'date') } }, 'MINISIGN_SIGNATURE'],
    [
      'an altered signature',
      { files: { ...FILES, 'sig/tool.minisig': 'untrusted comment: x\n' } },
      'MINISIGN_MALFORMED',
    ],
  ])('with %s: is refused and not unpacked, though its publisher signed it', async (_, plan, code) => {
    const data = await kindsEnclave();
    expect(verdictOf(await applyKind(data, (await update(plan)).path))).toEqual(['attestations', code]);
    expect(existsSync(join(data, 'bundles/update~test'))).toBe(false);
  });

  it.each([
    ['changed', (path: string) => writeFileSync(path, `${readFileSync(path, 'utf8').slice(0, -2)}x\n`)],
    ['cut', (path: string) => writeFileSync(path, '')],
  ])('with a signature that was %s on the way: is refused before it is read', async (_, harm) => {
    const { path } = await update();
    harm(join(path, 'blobs/sha256', encodeHex(sha256(utf8(String(FILES['sig/tool.minisig']))))));
    expect(verdictOf(await applyKind(await kindsEnclave(), path))).toEqual(['blobs', 'BLOB_MISMATCH']);
  });

  it('in a bundle of kind config: is refused, though every signature is good', async () => {
    const files = {
      'config.yaml': 'agent: {interval_ms: 500}\n',
      s: minisign(VENDOR, utf8('agent: {interval_ms: 500}\n')),
    };
    const attestations = new Map([['config.yaml', [{ ...MINI, material: 's' }]]]);
    const { path } = await kindBundle({ kind: 'config', files, change: { attestations } });
    expect(verdictOf(await applyKind(await kindsEnclave(), path))).toEqual(['attestations', 'ATTESTATION_KIND']);
  });

  it('are judged again when the bundle before is made active again', async () => {
    const data = await kindsEnclave();
    const one = await update();
    const two = await update({ seq: 2, prev: one.payload, attestations: [] });
    for (const { path } of [one, two]) expect((await applyKind(data, path)).status).toBe('applied');
    await using install = await open(data);
    const options = { toolVersion: '0.1.0', content: contentCheck, confirm: async () => true, reason: 'test' };
    const outcome = await rollBack(install, 'update/test', options);
    expect([outcome.status, decidingCheck(outcome.report)]).toEqual(['rolled-back', undefined]);
    expect(outcome.report.checks.find(({ name }) => name === 'attestations')?.reason).toMatch(/^4 third-party/);
  });

  it('are read once, in pieces, wherever these lie, and whoever waits may end it', async () => {
    const at = (name: string) => join(tempDirectory(), name);
    const paths = { 'bin/tool.sh': [at('1'), at('2')], 'sig/tool.minisig': [at('3')] };
    const pieces = [TOOL.slice(0, 5), TOOL.slice(5), utf8(String(FILES['sig/tool.minisig']))];
    Object.values(paths)
      .flat()
      .forEach((path, i) => {
        writeFileSync(path, pieces[i] ?? '');
      });
    const entry = (path: string, bytes: Uint8Array): IndexEntry => {
      return { path, mode: '0644', size: bytes.length, sha256: encodeHex(sha256(bytes)) };
    };
    const entries = [
      { ...entry('bin/tool.sh', TOOL), attestations: [MINI] },
      entry('sig/tool.minisig', pieces[2] ?? new Uint8Array()),
    ];
    const pathsOf = ({ path }: IndexEntry) => paths[path as keyof typeof paths];
    const find = (onBytes: (bytes: number) => void) =>
      findAttestations(
        entries.slice(0, 1),
        entries,
        pathsOf,
        { root: undefined, readPin: readNoPins },
        day(0),
        onBytes,
      );
    let gone = 0;
    const findings = await find((bytes) => {
      gone += bytes;
    });
    expect([findings, gone]).toEqual([[{ path: 'bin/tool.sh', material: 'sig/tool.minisig', ok: true }], TOOL.length]);
    for (const [i, text] of [
      [0, 'x'],
      [1, 'longer than it was'],
      [2, ''],
    ] as const) {
      const path = Object.values(paths).flat()[i] ?? '';
      const before = readFileSync(path);
      writeFileSync(path, text);
      expect(await find(() => undefined)).toMatchObject([{ ok: false, cause: { code: 'BLOB_MISMATCH' } }]);
      writeFileSync(path, before);
    }
    const end = new Error('enough');
    await expect(
      find(() => {
        throw end;
      }),
    ).rejects.toBe(end);
  });
});

describe('what a bundle of kind update says about its own files', () => {
  const documents = ['sbom', 'provenance'] as const;
  const readBlob = (path: string, name: string): string => {
    const line = readFileSync(join(path, 'index.jsonl'), 'utf8')
      .split('\n')
      .find((one) => one.includes(`"${name}"`));
    return readFileSync(join(path, 'blobs/sha256', String(JSON.parse(line ?? '{}').sha256)), 'utf8');
  };

  it('is held to them, and applied', async () => {
    const outcome = await applyKind(await kindsEnclave(), (await update({ documents })).path);
    expect(verdictOf(outcome)).toEqual(['applied', undefined]);
    const reason = outcome.report.checks.at(-1)?.reason;
    expect(reason).toMatch(
      /^9 files .*; 7 files, each as the CycloneDX 1\.6 list says.*; the provenance is of these 8 files$/,
    );
  });

  it.each<[string, (own: Record<string, string>) => Files, string]>([
    ['with a file that is not listed', () => ({ 'share/more': 'x' }), 'SBOM_UNLISTED'],
    ['with another file of that name', () => ({ 'share/data': 'x' }), 'SBOM_MISMATCH'],
    ['with a list of nothing', () => ({ [SBOM_PATH]: '{}' }), 'SBOM_MALFORMED'],
    ['with a list of nothing but itself', () => ({ [SBOM_PATH]: 'x'.repeat(10) }), 'SBOM_MALFORMED'],
    ['with the same list, spelled otherwise', (own) => ({ [SBOM_PATH]: `${own[SBOM_PATH]}\n` }), 'SUBJECT_MISMATCH'],
    ['with provenance of something else', () => ({ [PROVENANCE_PATH]: '{}' }), 'STATEMENT_MALFORMED'],
    [
      'with provenance that is none',
      (own) => ({ [PROVENANCE_PATH]: own[PROVENANCE_PATH]?.replace('slsa.dev/provenance/v1', 'x.example') ?? '' }),
      'PREDICATE_TYPE',
    ],
    [
      'with provenance of another seq',
      (own) => ({ [PROVENANCE_PATH]: own[PROVENANCE_PATH]?.replace('"seq":1', '"seq":7') ?? '' }),
      'PROVENANCE_MALFORMED',
    ],
    [
      'with provenance of another channel',
      (own) => ({ [PROVENANCE_PATH]: own[PROVENANCE_PATH]?.replace('update/test', 'update/best') ?? '' }),
      'PROVENANCE_MALFORMED',
    ],
  ])('%s: is refused', async (_, change, code) => {
    const { path } = await update({ documents, attestations: [] });
    const own = { [SBOM_PATH]: readBlob(path, SBOM_PATH), [PROVENANCE_PATH]: readBlob(path, PROVENANCE_PATH) };
    const harmed = await update({ files: { ...FILES, ...own, ...change(own) }, attestations: [] });
    expect(verdictOf(await applyKind(await kindsEnclave(), harmed.path))).toEqual(['content', code]);
  });
});

import { createHash } from 'node:crypto';
import { rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { utf8 } from '../../../src/core/bytes.ts';
import { minisign } from '../../verify/release/signing.ts';
import { DATA, HEX, OTHER, OURS, place, verify } from './place.ts';

const hex = (text: string) => createHash('sha256').update(text).digest('hex');
const LISTED = { 'bin/tool': hex('tool'), 'lib/a.so': hex('a') };

function cyclone(files: Readonly<Record<string, string>>): string {
  const components = Object.entries(files).map(([name, content]) => ({
    type: 'file',
    name,
    hashes: [{ alg: 'SHA-256', content }],
  }));
  return JSON.stringify({ bomFormat: 'CycloneDX', specVersion: '1.6', components });
}

const TREE = { 'out/bin/tool': 'tool', 'out/lib/a.so': 'a' };
const MINISIGN = ['--minisign', '@trust/mini.pub'];

/** A signed list of files, itself the release. */
function listed(files: Readonly<Record<string, string>> = TREE, sbom = cyclone(LISTED)) {
  return place({ ...files, 'out/sbom.json': sbom, 'out/sbom.json.minisig': minisign(OURS, utf8(sbom)) });
}

const ownArgs = ['@out/sbom.json', ...MINISIGN, '--sbom', '@out/sbom.json', '--sbom-root', '@out'];

describe('release verify with a bill of materials', () => {
  it('that is the release itself checks every file it lists', async () => {
    const { codes, report } = await verify(listed(), ...ownArgs);
    expect(codes).toEqual(['file', 'minisign', 'sbom-signature', 'sbom'].map((name) => [name, 'pass']));
    expect(report.checks.at(-1)?.detail).toEqual({ matching: 2, different: [], missing: [], unlisted: [] });
  });

  it.each<[string, Record<string, string>, string]>([
    ['changed', { ...TREE, 'out/bin/tool': 'evil' }, 'SBOM_MISMATCH'],
    ['missing', { 'out/bin/tool': 'tool' }, 'SBOM_MISSING'],
    ['more', { ...TREE, 'out/bin/evil': 'x' }, 'SBOM_UNLISTED'],
  ])('refuses when a file is %s', async (_, files, code) => {
    const { codes } = await verify(listed(files), ...ownArgs);
    expect(codes.at(-1)).toEqual(['sbom', code]);
  });

  it('compares the release too, where it lies among the files that the list has', async () => {
    const sbom = cyclone({ ...LISTED, 'tool.tar': HEX });
    const files = { ...TREE, 'out/tool.tar': DATA, 'out/tool.tar.minisig': minisign(OURS, DATA) };
    const where = place({ ...files, 'out/sbom.json': sbom, 'out/sbom.json.minisig': minisign(OURS, utf8(sbom)) });
    const args = ['@out/tool.tar', ...MINISIGN, '--sbom', '@out/sbom.json', '--sbom-root', '@out'];
    // Its signature lies there too, and nobody lists that.
    expect((await verify(where, ...args, '--signature', '@out/tool.tar.minisig')).report.verdict).toBe('trusted');
    const wrong = cyclone({ ...LISTED, 'tool.tar': hex('another') });
    const other = place({ ...files, 'out/sbom.json': wrong, 'out/sbom.json.minisig': minisign(OURS, utf8(wrong)) });
    const { codes } = await verify(other, ...args, '--signature', '@out/tool.tar.minisig');
    expect(codes.at(-1)).toEqual(['sbom', 'SBOM_MISMATCH']);
  });

  it('refuses a link among the files, whatever it leads to', async () => {
    const where = listed();
    rmSync(where.at('out/bin/tool'));
    writeFileSync(where.at('elsewhere'), 'tool');
    symlinkSync(where.at('elsewhere'), where.at('out/bin/tool'));
    expect((await verify(where, ...ownArgs)).codes.at(-1)).toEqual(['sbom', 'DIRECTORY_LINK']);
  });

  it('refuses a list with a way out of its directory', async () => {
    const where = listed(TREE, cyclone({ '../trust/mini.pub': hex('x') }));
    expect((await verify(where, ...ownArgs)).codes.at(-1)).toEqual(['sbom', 'SBOM_NAME']);
  });

  const sbom = cyclone({ 'tool.tar': HEX });
  const args = ['@tool.tar', ...MINISIGN, '--sbom', '@sbom.json'];
  const signed = { 'tool.tar.minisig': minisign(OURS, DATA), 'sbom.json': sbom };

  it('beside the release finds it listed', async () => {
    const where = place({ ...signed, 'sbom.json.minisig': minisign(OURS, utf8(sbom)) });
    expect((await verify(where, ...args)).report.verdict).toBe('trusted');
  });

  it.each<[string, Record<string, string>, string[]]>([
    ['nobody signed', {}, ['sbom-signature', 'SBOM_UNSIGNED']],
    ['somebody else signed', { 'sbom.json.minisig': minisign(OTHER, utf8(sbom)) }, ['sbom-signature', 'SBOM_UNSIGNED']],
    ['was changed', { 'sbom.json.minisig': minisign(OURS, utf8('x')) }, ['sbom-signature', 'SBOM_UNSIGNED']],
  ])('refuses a list that %s', async (_, files, check) => {
    const { codes } = await verify(place({ ...signed, ...files }), ...args);
    expect(codes.slice(-2)).toEqual([check, ['sbom', 'skipped']]);
  });

  it('refuses a list that has another file of that name, or none', async () => {
    for (const [files, code] of [
      [{ 'tool.tar': hex('x') }, 'SBOM_MISMATCH'],
      [{ other: HEX }, 'SBOM_NOT_LISTED'],
    ] as const) {
      const text = cyclone(files);
      const where = place({ ...signed, 'sbom.json': text, 'sbom.json.minisig': minisign(OURS, utf8(text)) });
      expect((await verify(where, ...args)).codes.at(-1)).toEqual(['sbom', code]);
    }
  });

  it('believes a list that the signed checksums name', async () => {
    const list = `${HEX}  tool.tar\n${hex(sbom)}  sbom.json\n`;
    const files = { 'sbom.json': sbom, L: list, 'L.minisig': minisign(OURS, utf8(list)) };
    expect((await verify(place(files), ...args, '--sums', '@L')).report.verdict).toBe('trusted');
    const changed = { ...files, 'sbom.json': `${sbom} ` };
    expect((await verify(place(changed), ...args, '--sums', '@L')).codes.at(-2)).toEqual([
      'sbom-signature',
      'SUMS_MISMATCH',
    ]);
  });
});

import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { concatBytes, encodeHex, utf8 } from '../../../src/core/bytes.ts';
import type { Report } from '../../../src/core/checks.ts';
import { sha256 } from '../../../src/core/digest.ts';
import { expectError, hasTool, inside, jsonOf } from '../../support/cli.ts';
import {
  armor,
  certificate,
  clearsigned,
  DAY,
  ed25519,
  packet,
  say,
  signature,
  T0,
} from '../../verify/release/openpgp/making.ts';
import { DATA, HEX, place, verify } from './place.ts';

const OURS = ed25519('ours');
const OTHER = ed25519('other');
const signed = (data: Uint8Array, by = OURS) => packet(2, signature(by, data));
const hexOf = (bytes: Uint8Array) => encodeHex(sha256(bytes));

const DEB = Buffer.from('a package\n');
const PACKAGES = utf8(
  `Package: tool\nVersion: 1:2.0\nArchitecture: amd64\nFilename: pool/t/tool_2.0_amd64.deb\nSize: ${DEB.length}\nSHA256: ${hexOf(DEB)}\n`,
);
const listOf = (files: Readonly<Record<string, Uint8Array>>) =>
  Object.entries(files).map(([name, bytes]) => ` ${hexOf(bytes)} ${bytes.length} ${name}\n`);
const AMD64 = 'main/binary-amd64/Packages';
const HEAD = 'Origin: us\nSuite: stable\nCodename: tests\nDate: Fri, 01 Jan 2027 00:00:00 UTC\n';
const LISTS = `SHA256:\n${listOf({ [AMD64]: PACKAGES, [`${AMD64}.gz`]: gzipSync(PACKAGES), 'main/source/Sources': DEB }).join('')}`;
const RELEASE = `${HEAD}Valid-Until: Fri, 01 Jan 2100 00:00:00 UTC\n${LISTS}`;

const SUMS = `${HEX}  tool.tar\n`;

/** An archive, and a directory with packages beside it. */
const archive = (files: Readonly<Record<string, string | Uint8Array>> = {}) =>
  place({
    'trust/ring.gpg': certificate(OURS),
    'trust/both.gpg': concatBytes(certificate(OURS), certificate(OTHER)),
    'tool.tar.sig': signed(DATA),
    'dist/InRelease': clearsigned(OURS, RELEASE),
    'dist/Release': RELEASE,
    'dist/Release.gpg': armor('PGP SIGNATURE', signed(utf8(RELEASE))),
    [`dist/${AMD64}`]: PACKAGES,
    'index/Packages': PACKAGES,
    'index/Packages.gz': gzipSync(PACKAGES),
    'debs/tool_2.0_amd64.deb': DEB,
    'SUMS.asc': clearsigned(OURS, SUMS),
    SUMS,
    'SUMS.sig': signed(utf8(SUMS)),
    'flat/tool.tar': DATA,
    'note.asc': clearsigned(OURS, 'a note\n'),
    ...files,
  });
const RING = ['--openpgp', '@trust/ring.gpg'];
const codesOf = async (where: ReturnType<typeof archive>, ...args: string[]) => (await verify(where, ...args)).codes;
const passing = (...names: string[]) => names.map((name) => [name, 'pass']);

describe('release verify with --openpgp', () => {
  it.each([
    ['a file, its signature beside it', ['@tool.tar'], ['openpgp']],
    ['a file, its signature named', ['@tool.tar', '--signature', '@tool.tar.sig'], ['openpgp']],
    ['an InRelease by itself', ['@dist/InRelease'], ['openpgp', 'release-file']],
    ['a Release by itself', ['@dist/Release'], ['openpgp', 'release-file']],
    [
      'a file of an InRelease',
      [`@dist/${AMD64}`, '--sums', '@dist/InRelease'],
      ['openpgp', 'release-file', 'checksums'],
    ],
    ['a file of a Release', [`@dist/${AMD64}`, '--sums', '@dist/Release'], ['openpgp', 'release-file', 'checksums']],
    [
      'a file by its path there',
      ['@index/Packages', '--sums', '@dist/InRelease', '--listed-as', AMD64],
      ['openpgp', 'release-file', 'checksums'],
    ],
    [
      'a package by an index',
      ['@debs/tool_2.0_amd64.deb', '--sums', '@dist/InRelease', '--packages', '@index/Packages'],
      ['openpgp', 'release-file', 'checksums', 'packages'],
    ],
    [
      'a package by a compressed index',
      ['@debs/tool_2.0_amd64.deb', '--sums', '@dist/Release', '--packages', '@index/Packages.gz'],
      ['openpgp', 'release-file', 'checksums', 'packages'],
    ],
    [
      'a directory of packages',
      ['@dist/InRelease', '--packages', '@index/Packages', '--debs', '@debs'],
      ['openpgp', 'release-file', 'checksums', 'packages'],
    ],
    [
      'a directory of what is listed',
      ['@dist/InRelease', '--sums-root', '@dist'],
      ['openpgp', 'release-file', 'files'],
    ],
    [
      'both at once',
      [
        '@dist/Release',
        '--sums-root',
        '@dist',
        '--packages',
        '@index/Packages',
        '--listed-as',
        AMD64,
        '--debs',
        '@debs',
      ],
      ['openpgp', 'release-file', 'checksums', 'files', 'packages'],
    ],
    ['a list of checksums in a cleartext', ['@tool.tar', '--sums', '@SUMS.asc'], ['openpgp', 'checksums']],
    ['the same, named as a signature', ['@tool.tar', '--signature', '@SUMS.asc'], ['openpgp', 'checksums']],
    ['a text of whatever kind', ['@note.asc'], ['openpgp']],
    [
      'another kind of list, and what it has',
      ['@SUMS', '--signature', '@SUMS.sig', '--sums-root', '@flat'],
      ['openpgp', 'files'],
    ],
  ])('judges %s', async (_, args, checks) => {
    const { report, codes } = await verify(archive(), ...args, ...RING);
    expect(codes).toEqual(passing('file', ...checks));
    expect(report.signers).toMatchObject([{ role: 'openpgp', identity: 'Publisher <dev@example.org>' }]);
  });

  it('tells what a Release file says of itself, and until when it counts', async () => {
    const { report } = await verify(archive(), '@dist/InRelease', ...RING);
    expect(report.checks.at(-1)?.detail).toMatchObject({
      Origin: 'us',
      Suite: 'stable',
      Codename: 'tests',
      Date: '2027-01-01T00:00:00.000Z',
      'Valid-Until': '2100-01-01T00:00:00.000Z',
    });
    expect(report.freshness).toMatchObject({ status: 'not-provable', expires: '2100-01-01T00:00:00.000Z' });
    const deb = ['@debs/tool_2.0_amd64.deb', '--sums', '@dist/InRelease', '--packages', '@index/Packages'];
    const { report: ofDeb } = await verify(archive(), ...deb, ...RING);
    expect(ofDeb.checks.at(-1)?.detail).toMatchObject({ package: 'tool', version: '1:2.0', architecture: 'amd64' });
  });

  const old = `${HEAD}Valid-Until: Sat, 02 Jan 2027 00:00:00 UTC\n${LISTS}`;
  const evil = Buffer.from('evil');
  const list = (...more: string[]) => ({ 'dist/InRelease': clearsigned(OURS, `${RELEASE}${more.join('')}`) });

  it.each<[string, Record<string, string | Uint8Array>, string[], string[]]>([
    ['a stranger', { 'tool.tar.sig': signed(DATA, OTHER) }, ['@tool.tar'], ['openpgp', 'PGP_KEY_UNKNOWN']],
    ['another file', { 'tool.tar': 'x' }, ['@tool.tar'], ['openpgp', 'PGP_SIGNATURE']],
    [
      'a damaged signature',
      { 'tool.tar.sig': signed(DATA).slice(0, -1) },
      ['@tool.tar'],
      ['openpgp', 'SIGNATURE_MISSING'],
    ],
    ['no signature', { 'tool.tar.sig': 'x' }, ['@tool.tar'], ['openpgp', 'SIGNATURE_MISSING']],
    ['a list nobody signed', { 'dist/Release.gpg': '' }, ['@dist/Release'], ['openpgp', 'SIGNATURE_MISSING']],
    ['a list that was changed', { 'dist/Release': `${RELEASE} ` }, ['@dist/Release'], ['openpgp', 'PGP_SIGNATURE']],
    [
      'a list of last year',
      { 'dist/InRelease': clearsigned(OURS, old) },
      ['@dist/InRelease', '--floor', '2027-01-03'],
      ['release-file', 'RELEASE_EXPIRED'],
    ],
    [
      'a list that is none',
      { 'dist/InRelease': clearsigned(OURS, 'Suite: x\nSHA256:\n') },
      ['@dist/InRelease'],
      ['release-file', 'RELEASE_MALFORMED'],
    ],
    ['a way out', list(` ${hexOf(DEB)} 1 ../x\n`), ['@dist/InRelease'], ['release-file', 'SUMS_NAME']],
    [
      'a file that was changed',
      { [`dist/${AMD64}`]: evil },
      ['@dist/InRelease', '--sums-root', '@dist'],
      ['files', 'SUMS_MISMATCH'],
    ],
    [
      'a file that is not listed',
      { 'dist/main/evil': evil },
      ['@dist/InRelease', '--sums-root', '@dist'],
      ['files', 'SUMS_NOT_LISTED'],
    ],
    [
      'a directory with nothing to check',
      { 'empty/InRelease': clearsigned(OURS, RELEASE) },
      ['@empty/InRelease', '--sums-root', '@empty'],
      ['files', 'SUMS_NOT_LISTED'],
    ],
    [
      'a package that was changed',
      { 'debs/tool_2.0_amd64.deb': evil },
      ['@dist/InRelease', '--packages', '@index/Packages', '--debs', '@debs'],
      ['packages', 'SUMS_MISMATCH'],
    ],
    [
      'a package of the same size',
      { 'debs/tool_2.0_amd64.deb': Buffer.from('B package\n') },
      ['@debs/tool_2.0_amd64.deb', '--sums', '@dist/InRelease', '--packages', '@index/Packages'],
      ['packages', 'SUMS_MISMATCH'],
    ],
    [
      'a package under another name',
      { 'debs/new_2.0_amd64.deb': DEB },
      ['@dist/InRelease', '--packages', '@index/Packages', '--debs', '@debs'],
      ['packages', 'PACKAGES_NOT_LISTED'],
    ],
    [
      'an index that is not listed',
      { 'index/Packages': evil },
      ['@dist/InRelease', '--packages', '@index/Packages', '--debs', '@debs'],
      ['checksums', 'SUMS_MISMATCH'],
    ],
    [
      'an index by another path',
      {},
      ['@dist/InRelease', '--packages', '@index/Packages', '--listed-as', 'main/source/Sources', '--debs', '@debs'],
      ['checksums', 'SUMS_MISMATCH'],
    ],
    [
      'an index that could be two',
      list(` ${hexOf(evil)} 4 contrib/binary-amd64/Packages\n`),
      ['@dist/InRelease', '--packages', '@index/Packages', '--debs', '@debs'],
      ['checksums', 'SUMS_AMBIGUOUS'],
    ],
    // Never decompressed: it is not what the list says, whatever it holds.
    [
      'a compressed index that was changed',
      { 'index/Packages.gz': gzipSync(Buffer.alloc(1e6)) },
      ['@debs/tool_2.0_amd64.deb', '--sums', '@dist/InRelease', '--packages', '@index/Packages.gz'],
      ['checksums', 'SUMS_MISMATCH'],
    ],
    [
      'text before a list',
      { 'dist/InRelease': `x\n${clearsigned(OURS, RELEASE)}` },
      [`@dist/${AMD64}`, '--sums', '@dist/InRelease'],
      ['openpgp', 'SIGNATURE_MISSING'],
    ],
    [
      'text after a list',
      { 'dist/InRelease': `${clearsigned(OURS, RELEASE)} ${hexOf(evil)} 4 x\n` },
      [`@dist/${AMD64}`, '--sums', '@dist/InRelease'],
      ['openpgp', 'PGP_CLEARTEXT'],
    ],
    [
      'text after a cleartext',
      { 'note.asc': `${clearsigned(OURS, 'x')}more\n` },
      ['@note.asc'],
      ['openpgp', 'PGP_CLEARTEXT'],
    ],
    ['fewer owners than wanted', {}, ['@tool.tar', '--openpgp-signers', '2'], ['openpgp', 'THRESHOLD_NOT_MET']],
  ])('refuses %s', async (_, files, args, refusal) => {
    const { report, codes } = await verify(archive(files), ...args, ...RING);
    expect(codes).toContainEqual(refusal);
    expect(report.signers).toEqual([]);
    const at = codes.findIndex(([name]) => name === refusal[0]);
    // What stands on a refused check is not looked at.
    expect(codes.slice(at + 1).every(([, code]) => code === 'skipped')).toBe(true);
  });

  it('takes files by their digest where an archive keeps them so, and no others', async () => {
    const kept = `dist/main/binary-amd64/by-hash/SHA256/${hexOf(PACKAGES)}`;
    const args = ['@dist/InRelease', '--sums-root', '@dist', ...RING];
    expect(await codesOf(archive({ [kept]: PACKAGES }), ...args)).toContainEqual(['files', 'pass']);
    expect(await codesOf(archive({ [kept]: evil }), ...args)).toContainEqual(['files', 'SUMS_MISMATCH']);
    const elsewhere = kept.replace('main/', '');
    expect(await codesOf(archive({ [elsewhere]: PACKAGES }), ...args)).toContainEqual(['files', 'SUMS_NOT_LISTED']);
  });

  it('does not take an announcement or a program for a Release file', async () => {
    const text = `Hello,\n\nSHA256:\n ${HEX} 1 x\n`;
    expect(await codesOf(archive({ 'note.asc': clearsigned(OURS, text) }), '@note.asc', ...RING)).toEqual(
      passing('file', 'openpgp'),
    );
    const program = utf8('\x7fELF\nSHA256:\n');
    const files = { 'tool.tar': program, 'tool.tar.sig': signed(program) };
    expect(await codesOf(archive(files), '@tool.tar', ...RING)).toEqual(passing('file', 'openpgp'));
  });

  it('wants as many owners as it is told', async () => {
    const both = { 'tool.tar.sig': concatBytes(signed(DATA), signed(DATA, OTHER)) };
    const args = ['@tool.tar', '--openpgp', '@trust/both.gpg', '--openpgp-signers', '2'];
    const { report } = await verify(archive(both), ...args);
    expect(report.signers).toHaveLength(2);
    expect(await codesOf(archive(), ...args)).toContainEqual(['openpgp', 'THRESHOLD_NOT_MET']);
  });

  it.each<[string, string[], string]>([
    [
      'a number of owners without a keyring',
      ['@tool.tar', '--minisign', '@trust/mini.pub', '--openpgp-signers', '2'],
      'give --openpgp too',
    ],
    ['nobody', ['@tool.tar', ...RING, '--openpgp-signers', '0'], 'at least 1'],
    ['no number', ['@tool.tar', ...RING, '--openpgp-signers', 'two'], 'whole number'],
    ['a signature and nothing to check it with', ['@tool.tar'], '--openpgp KEYRING'],
    ['an index without a list', ['@tool.tar', ...RING, '--packages', '@index/Packages'], '--sums'],
    ['a path without a list', ['@tool.tar', ...RING, '--listed-as', 'x'], '--sums'],
    ['an index without packages', ['@dist/InRelease', ...RING, '--packages', '@index/Packages'], '--debs'],
    ['packages without an index', ['@dist/InRelease', ...RING, '--debs', '@debs'], '--packages'],
    [
      'a list of a list',
      ['@dist/InRelease', ...RING, '--sums', '@dist/Release', '--sums-root', '@dist'],
      'leave --sums out',
    ],
    ['two ways at once', ['@note.asc', ...RING, '--minisign', '@trust/mini.pub'], 'alone'],
    [
      'an index that has to be opened first',
      ['@debs/tool_2.0_amd64.deb', ...RING, '--sums', '@dist/InRelease', '--packages', '@xz'],
      'xz -dk',
    ],
  ])('asks instead of guessing: %s', async (_, args, hint) => {
    const files = { 'note.asc': clearsigned(OURS, 'x'), xz: Buffer.from('fd377a585a00', 'hex') };
    const ran = await archive(files).run(...args);
    expectError(
      ran,
      ran.stderr.includes('whole number') || ran.stderr.includes('at least 1') || ran.stderr.includes('xz')
        ? 'USAGE_VALUE'
        : 'USAGE_OPTION',
      2,
    );
    expect(ran.stderr).toContain(hint);
  });

  it('is told in a sentence what is no keyring', async () => {
    const ran = await archive({ 'trust/ring.gpg': 'x' }).run('@tool.tar', ...RING);
    expectError(ran, 'PGP_KEYRING_MALFORMED', 3);
  });

  it('counts a key until its end, by the floor', async () => {
    const ring = certificate(OURS, { self: { more: [say.keyLifetime(365 * DAY)] } });
    const end = new Date((T0 + 365 * DAY) * 1000).toISOString();
    const where = archive({ 'trust/ring.gpg': ring });
    expect(await codesOf(where, '@tool.tar', ...RING)).toContainEqual(['openpgp', 'pass']);
    expect(await codesOf(where, '@tool.tar', ...RING, '--floor', end)).toContainEqual(['openpgp', 'PGP_KEY_EXPIRED']);
  });
});

/** What apt keeps of the archives that this machine was installed from, and the keys that came with it. */
const APT_HELPER = '/usr/lib/apt/apt-helper';
const LISTS_OF_APT = '/var/lib/apt/lists';
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';
const inReleases =
  existsSync('/etc/debian_version') && existsSync(KEYRING) && existsSync(LISTS_OF_APT)
    ? readdirSync(LISTS_OF_APT).filter(
        (name) => name.startsWith('deb.debian.org_debian') && name.endsWith('_InRelease'),
      )
    : [];
if (inReleases.length === 0) console.warn('SKIPPED: the archives of a Debian machine, of which apt has no lists here');

describe.skipIf(inReleases.length === 0)("a Debian machine's own archives (skipped where apt has no lists)", () => {
  const verifyHere = async (...args: string[]) => {
    const ran = await inside(['release', 'verify', ...args, '--openpgp', KEYRING, '--json', '--data', '/nonexistent']);
    return jsonOf<Report>(ran, 'report');
  };

  it.each(inReleases)('%s', async (name) => {
    const file = join(LISTS_OF_APT, name);
    const report = await verifyHere(file);
    // Its week may be over by now; who signed it stays true.
    const [read, openpgp, release] = report.checks;
    expect([read?.status, openpgp?.status]).toEqual(['pass', 'pass']);
    expect(['pass', 'RELEASE_EXPIRED']).toContain(release?.code ?? release?.status);
    if (hasTool('gpgv')) execFileSync('gpgv', ['--keyring', KEYRING, file], { stdio: 'ignore' });
  });

  const packages = inReleases
    .map((name) => ({ name, index: name.replace(/InRelease$/, 'main_binary-amd64_Packages') }))
    .filter(({ index }) => existsSync(join(LISTS_OF_APT, `${index}.lz4`)) || existsSync(join(LISTS_OF_APT, index)));
  it.skipIf(packages.length === 0 || !existsSync(APT_HELPER))(
    'down to their packages (skipped without apt-helper and indices)',
    async () => {
      const smallest = packages.find(({ name }) => name.includes('updates')) ?? packages[0];
      if (smallest === undefined) throw new Error('there is one');
      const stored = [`${smallest.index}.lz4`, smallest.index]
        .map((name) => join(LISTS_OF_APT, name))
        .find((path) => existsSync(path));
      const index = execFileSync(APT_HELPER, ['cat-file', stored ?? ''], { maxBuffer: 1e9 });
      const where = place({ Packages: index });
      const list = join(LISTS_OF_APT, smallest.name);
      const report = await verifyHere(where.at('Packages'), '--sums', list, '--listed-as', AMD64);
      expect(report.checks.map(({ name, status }) => [name, status])).toContainEqual(['checksums', 'pass']);
    },
  );
});

import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { encodeHex, utf8 } from '../../src/core/bytes.ts';
import { type Digest, sha256 } from '../../src/core/digest.ts';
import { readInstall } from '../../src/install/install-io.ts';
import { verifyTrustFiles } from '../../src/install/kinds/trust.ts';
import { dataLayout } from '../../src/install/layout.ts';
import { readPinnedFile } from '../../src/install/pinned-files-io.ts';
import { loadPinnedRoot, loadRootHistory } from '../../src/install/root-store-io.ts';
import type { RootFile } from '../../src/verify/root-chain.ts';
import type { ReleasePin } from '../../src/verify/root-document.ts';
import { parseRoot } from '../../src/verify/trust-root.ts';
import type { Files } from '../bundle/sample.ts';
import { BUILT_AT } from '../support/enclave.ts';
import { expectCode, expectCodeAsync } from '../support/expect-code.ts';
import { tempDirectory } from '../support/temp.ts';
import { applyKind, kindBundle, kindsEnclave, kindsRoot, verdictOf } from './kinds-support.ts';

const KEY = 'a key';
const OTHER = 'another key';
const digest = (text: string) => encodeHex(sha256(utf8(text)));
const pin = (text: string): ReleasePin => ({ kind: 'minisign', sha256: digest(text) });
const pinned = (...texts: string[]) => Object.fromEntries(texts.map((text) => [`releases/${digest(text)}`, text]));

const later = { issuedAt: '2026-03-01T00:00:00.000Z' };
const one = kindsRoot();
const two = kindsRoot({ version: 2, ...later, releases: { vendor: pin(KEY) } });
const three = kindsRoot({ version: 3, ...later, releases: { vendor: pin(OTHER) } });
const LARGE = 'x'.repeat(4 * 1024 * 1024 + 1);
const large = kindsRoot({ version: 2, ...later, releases: { vendor: pin(LARGE) } });
const filesOf = (...roots: readonly RootFile[]): Files =>
  Object.fromEntries(roots.map(({ version, bytes }) => [`${version}.root.dsse.json`, bytes]));
const trust = (roots: readonly RootFile[], more: Files, place: { seq?: number; prev?: Digest } = {}) =>
  kindBundle({
    kind: 'trust',
    files: { ...filesOf(...roots), ...more },
    roots,
    ...place,
    change: { issuedAt: '2026-03-02T00:00:00.000Z' },
  });

const here = async (data: string) => {
  const { layout, state } = await readInstall(data, BUILT_AT);
  const root = loadPinnedRoot(layout, state);
  const read = (name: string) => {
    const found = root.releases.get(name);
    if (found === undefined) throw new Error(`no pin ${name}`);
    return Buffer.from(readPinnedFile(layout, name, found)).toString();
  };
  return { layout, state, read };
};
const stored = (data: string) => join(data, 'trust/releases');

describe('a trust bundle with pinned files', () => {
  it('stores them by their digest, apart from the bundle', async () => {
    const data = await kindsEnclave();
    const { path } = await trust([one, two], pinned(KEY));
    expect((await applyKind(data, path)).status).toBe('applied');
    expect(readdirSync(stored(data))).toEqual([digest(KEY)]);
    rmSync(join(data, 'bundles'), { recursive: true });
    expect((await here(data)).read('vendor')).toBe(KEY);
  });

  it('of a newer root replaces what is pinned, and removes what no pin names', async () => {
    const data = await kindsEnclave();
    const first = await trust([one, two], pinned(KEY));
    await applyKind(data, first.path);
    const second = await trust([one, two, three], pinned(OTHER), { seq: 2, prev: first.payload });
    expect((await applyKind(data, second.path)).status).toBe('applied');
    expect(readdirSync(stored(data))).toEqual([digest(OTHER)]);
    const { layout, state, read } = await here(data);
    expect(read('vendor')).toBe(OTHER);
    expect(loadRootHistory(layout, state).map(({ version }) => version)).toEqual([1, 2, 3]);
  });

  it('need not bring again what is here', async () => {
    const data = await kindsEnclave();
    const first = await trust([one, two], pinned(KEY));
    await applyKind(data, first.path);
    const again = kindsRoot({ version: 3, ...later, releases: { vendor: pin(KEY), more: pin(OTHER) } });
    const second = await trust([one, two, again], pinned(OTHER), { seq: 2, prev: first.payload });
    const outcome = await applyKind(data, second.path);
    expect(outcome.report.checks.find(({ name }) => name === 'content')?.reason).toBe(
      '3 versions of the trust root, linked up to 3, with 1 pinned file; pinned, but not in it: vendor',
    );
    expect(readdirSync(stored(data)).sort()).toEqual([digest(KEY), digest(OTHER)].sort());
  });

  it.each<[string, readonly RootFile[], Files]>([
    ['a file that nothing pins', [one, two], pinned(KEY, OTHER)],
    ['a file that only an older version pins', [one, two, three], pinned(KEY)],
    ['a file before any pin', [one], pinned(KEY)],
    ['another file under its digest', [one, two], { [`releases/${digest(KEY)}`]: OTHER }],
    ['a file by its name', [one, two], { 'releases/vendor': KEY }],
    ['a digest in capitals', [one, two], { [`releases/${digest(KEY).toUpperCase()}`]: KEY }],
    ['a digest that is cut', [one, two], { [`releases/${digest(KEY).slice(1)}`]: KEY }],
    ['the file beside the folder', [one, two], { [digest(KEY)]: KEY }],
    ['the file deeper down', [one, two], { [`x/releases/${digest(KEY)}`]: KEY }],
    ['one that is too large', [one, large], pinned(LARGE)],
    ['a folder of that name', [one, two], { [`releases/${digest(KEY)}/x`]: KEY }],
  ])('is refused with %s', (_, roots, more) => {
    const files: Files = { ...filesOf(...roots), ...more };
    const bytesOf = (path: string) => {
      const found = files[path] ?? '';
      return typeof found === 'string' ? utf8(found) : found;
    };
    const entries = Object.keys(files).map((path) => {
      const bytes = bytesOf(path);
      return { path, mode: '0644' as const, size: bytes.length, sha256: encodeHex(sha256(bytes)) };
    });
    const pinnedHere = parseRoot(one.bytes);
    expectCode(() => verifyTrustFiles(entries, ({ path }) => bytesOf(path), roots, pinnedHere), 'TRUST_FILES');
  });

  it('that is refused leaves nothing behind', async () => {
    const data = await kindsEnclave();
    const { path } = await trust([one, two, three], pinned(KEY));
    expect(verdictOf(await applyKind(data, path))).toEqual(['content', 'TRUST_FILES']);
    expect(existsSync(stored(data))).toBe(false);
  });
});

describe('a pinned file in the data directory', () => {
  it.each<[string, (file: string) => void, string]>([
    ['swapped', (file) => writeFileSync(file, OTHER), 'STATE_TAMPERED'],
    ['cut', (file) => writeFileSync(file, KEY.slice(1)), 'STATE_TAMPERED'],
    ['longer', (file) => writeFileSync(file, `${KEY}\n`), 'STATE_TAMPERED'],
    ['large', (file) => writeFileSync(file, LARGE), 'STATE_TAMPERED'],
    [
      'a link',
      (file) => {
        rmSync(file);
        symlinkSync('/dev/zero', file);
      },
      'STATE_TAMPERED',
    ],
    [
      'a directory',
      (file) => {
        rmSync(file);
        mkdirSync(file);
      },
      'STATE_TAMPERED',
    ],
    ['gone', (file) => rmSync(file), 'PIN_MISSING'],
  ])('that is %s is not used', (_, change, code) => {
    const layout = dataLayout(tempDirectory());
    const file = join(layout.releases, digest(KEY));
    mkdirSync(layout.releases, { recursive: true });
    writeFileSync(file, KEY);
    expect(Buffer.from(readPinnedFile(layout, 'vendor', pin(KEY))).toString()).toBe(KEY);
    change(file);
    expectCode(() => readPinnedFile(layout, 'vendor', pin(KEY)), code);
  });

  it('that was lost or swapped comes back with its bundle', async () => {
    const data = await kindsEnclave();
    const { path } = await trust([one, two], pinned(KEY));
    await applyKind(data, path);
    const file = join(stored(data), digest(KEY));
    for (const change of [() => rmSync(file), () => writeFileSync(file, OTHER)]) {
      change();
      expect((await applyKind(data, path)).status).toBe('unchanged');
      expect(readFileSync(file, 'utf8')).toBe(KEY);
    }
  });

  it('that a root pinned before any bundle brought it is not here', async () => {
    const other = await kindsEnclave(kindsRoot({ releases: { vendor: pin(KEY) } }));
    const { read } = await here(other);
    expectCode(() => read('vendor'), 'PIN_MISSING');
  });
});

describe('the versions that are stored', () => {
  it('must lead to the newest: one that was swapped is tampering', async () => {
    const data = await kindsEnclave();
    await applyKind(data, (await trust([one, two], pinned(KEY))).path);
    const forged = kindsRoot({ releases: { vendor: pin(OTHER) } }, ['root-b']);
    writeFileSync(join(data, 'trust/roots/1.root.dsse.json'), forged.bytes);
    await expectCodeAsync(async () => {
      const { layout, state } = await here(data);
      return loadRootHistory(layout, state);
    }, 'STATE_TAMPERED');
    writeFileSync(join(data, 'trust/roots/1.root.dsse.json'), two.bytes);
    const { layout, state } = await here(data);
    expectCode(() => loadRootHistory(layout, state), 'STATE_TAMPERED');
  });
});

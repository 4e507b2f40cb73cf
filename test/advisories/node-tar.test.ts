import { symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Pax } from 'tar';
import { describe, it } from 'vitest';
import { concatBytes, utf8 } from '../../src/core/bytes.ts';
import { AT, end, forgeEntry, forgeHeader, pack, unpack } from '../archive/tar-bytes.ts';
import { judgePath, lightBundle, membersOfBundle, writeDirectory, writeFile } from '../bundle/hostile.ts';
import { memberBytes } from '../bundle/tar-members.ts';
import { expectCodeAsync } from '../support/expect-code.ts';
import { tempDirectory } from '../support/temp.ts';
import { expectRefused } from '../support/trust.ts';

/** One test an advisory of node-tar, which writes and reads our headers (but never extracts). */

const good = (await pack({ a: 'hello' })).slice(0, -1024);
const pax = (fields: object, global = false) => new Pax(fields, global).encode() ?? new Uint8Array();

describe('node-tar', () => {
  it('GHSA-j44m-qm6p-hp7m (CVE-2018-20834): a hard link, then a file of the same name, to overwrite its target', async () => {
    const link = forgeHeader('b', 0, [AT.type, '1'], [AT.link, '/etc/passwd']);
    await expectCodeAsync(unpack(concatBytes(good, link, forgeEntry('b', 'evil'), end())), 'TAR_LINK');
  });

  it('GHSA-r628-mhmh-qjhw (CVE-2021-32803): a directory, then a symlink in its place, then a file through it', async () => {
    const directory = forgeHeader('b', 0, [AT.type, '5']);
    const link = forgeHeader('b', 0, [AT.type, '2'], [AT.link, '/tmp']);
    const file = forgeEntry('b/x', 'evil');
    await expectCodeAsync(unpack(concatBytes(good, directory, link, file, end())), 'TAR_DIRECTORY');
    await expectCodeAsync(unpack(concatBytes(good, link, file, end())), 'TAR_LINK');
  });

  it('GHSA-3jfq-g458-7qm9 (CVE-2021-32804): an absolute path with its slash repeated', async () => {
    for (const name of ['/etc/x', '////etc/x', '///../etc/x']) {
      const code = name.startsWith('//') ? 'PATH_DRIVE' : 'PATH_ABSOLUTE';
      await expectCodeAsync(unpack(concatBytes(good, forgeEntry('b', '', [AT.name, name]), end())), code);
    }
  });

  it('GHSA-9r2w-394v-53qc (CVE-2021-37701): a link named with backslashes, to be missed by the cache of directories', async () => {
    const link = forgeHeader('b', 0, [AT.type, '2'], [AT.link, '/tmp'], [AT.name, 'b\\x']);
    await expectCodeAsync(unpack(concatBytes(good, link, end())), 'TAR_LINK');
    await expectCodeAsync(unpack(concatBytes(good, forgeEntry('b', '', [AT.name, 'b\\x']), end())), 'PATH_BACKSLASH');
  });

  it('GHSA-qq89-hq3f-393p (CVE-2021-37712): names that are one name after Unicode folding or as 8.3', async () => {
    // ustar names of ours are ASCII; the install paths of an index are held to one fold (test/archive/path-set.test.ts).
    for (const [name, code] of [
      ['caf\xe9', 'TAR_NAME'],
      ['caf\xc3\xa9', 'TAR_NAME'],
      ['\xef\xac\x81le', 'PATH_CONTROL'],
      ['LONGFI~1.TXT', 'PATH_SHORT_NAME'],
    ] as const) {
      await expectCodeAsync(unpack(concatBytes(good, forgeEntry('b', '', [AT.name, name]), end())), code);
    }
  });

  it('GHSA-5955-9wpr-37jh (CVE-2021-37713): a drive-relative path on Windows', async () => {
    for (const name of ['C:x', 'c:..\\x', 'C:../x', 'Z:\\x']) {
      await expectCodeAsync(unpack(concatBytes(good, forgeEntry('b', '', [AT.name, name]), end())), 'PATH_DRIVE');
    }
  });

  it('GHSA-f5x3-32g6-xq36 (CVE-2024-28863): directories nested without end, to exhaust memory', async () => {
    const name = `${'a/'.repeat(49)}a`;
    await expectCodeAsync(unpack(concatBytes(good, forgeEntry('b', '', [AT.name, name]), end())), 'PATH_TOO_DEEP');
    const long = pax({ path: `${'a/'.repeat(100_000)}a` });
    await expectCodeAsync(unpack(concatBytes(long, good, end())), 'TAR_PAX');
  });

  it('CVE-2026-23745: links whose targets are absolute or climb, in an archive or planted beside', async () => {
    for (const [type, target] of [
      ['1', '/etc/passwd'],
      ['1', '../../x'],
      ['2', '/etc/passwd'],
      ['2', '../../x'],
    ] as const) {
      const link = forgeHeader('b', 0, [AT.type, type], [AT.link, target]);
      await expectCodeAsync(unpack(concatBytes(good, link, end())), 'TAR_LINK');
    }
    const path = writeDirectory(membersOfBundle(lightBundle()));
    const outside = join(tempDirectory(), 'outside');
    writeFileSync(outside, 'secret');
    symlinkSync(outside, join(path, 'blobs/sha256', 'f'.repeat(64)));
    expectRefused((await judgePath(path)).verification, 'container', 'DIRECTORY_LINK');
  });

  it('CVE-2026-23950: names that race each other where case folds (ß and ss)', async () => {
    await expectCodeAsync(unpack(concatBytes(good, forgeEntry('b', '', [AT.name, 'stra\xdfe']), end())), 'TAR_NAME');
  });

  it('CVE-2026-24842: a hard link that is judged by one path and made by another', async () => {
    const link = forgeHeader('b', 0, [AT.type, '1'], [AT.link, 'a/../../../etc/passwd'], [AT.name, 'd/../b']);
    await expectCodeAsync(unpack(concatBytes(good, link, end())), 'TAR_LINK');
  });

  it('GHSA-83g3-92jg-28cx (CVE-2026-26960): a hard link that leaves through a chain of symlinks', async () => {
    const up = forgeHeader('a/b/c/up', 0, [AT.type, '2'], [AT.link, '../..']);
    const out = forgeHeader('a/b/escape', 0, [AT.type, '2'], [AT.link, 'c/up/../..']);
    const hard = forgeHeader('exfil', 0, [AT.type, '1'], [AT.link, 'a/b/escape/secret']);
    await expectCodeAsync(unpack(concatBytes(up, out, hard, end())), 'TAR_LINK');
    await expectCodeAsync(unpack(concatBytes(good, hard, end())), 'TAR_LINK');
  });

  it('a size that a PAX header says otherwise, so that the header of the next file is read as a body', async () => {
    const inner = concatBytes(forgeEntry('z', 'evil'), end());
    const outer = forgeEntry('b', Buffer.from(inner).toString('latin1'));
    await expectCodeAsync(unpack(concatBytes(good, pax({ size: 0 }), outer, end())), 'TAR_PAX');
    // Without it the body is a body, whatever it looks like.
    const [, file] = await unpack(concatBytes(good, outer, end()));
    if (Buffer.compare(Buffer.from(file?.[1] ?? []), Buffer.from(inner)) !== 0) throw new Error('the body is whole');
  });
});

describe('archives that readers of other languages take apart differently', () => {
  const members = membersOfBundle(lightBundle());
  const bundleWith = (...parts: readonly Uint8Array[]) =>
    writeFile(concatBytes(...members.map(memberBytes), ...parts, end()));

  it('TARmageddon (CVE-2025-62518): PAX says one size, ustar another; the inner archive comes to light', async () => {
    const inner = memberBytes(['bundle.dsse.json', utf8('{}')]);
    const path = bundleWith(pax({ size: inner.length }), forgeHeader('z', 0), inner);
    expectRefused((await judgePath(path)).verification, 'container', 'TAR_PAX');
  });

  it('Python tarfile (CVE-2007-4559, CVE-2025-4517): a name that climbs, behind a link or a long path', async () => {
    expectRefused(
      (await judgePath(bundleWith(forgeEntry('b', '', [AT.name, '../../x'])))).verification,
      'container',
      'PATH_TRAVERSAL',
    );
    const link = forgeHeader('b', 0, [AT.type, '2'], [AT.link, `${'d/'.repeat(20)}..`]);
    expectRefused((await judgePath(bundleWith(link))).verification, 'container', 'TAR_LINK');
  });

  it('GNU tar (CVE-2016-6321): a member name that hides ".." from the one who asked for it', async () => {
    const path = bundleWith(forgeEntry('b', '', [AT.name, 'etc/x/../shadow']));
    expectRefused((await judgePath(path)).verification, 'container', 'PATH_TRAVERSAL');
  });

  it('GNU tar (CVE-2022-48303): a base-256 size that is not the number it seems', async () => {
    const size = new Uint8Array(12).fill(0xff);
    const path = bundleWith(forgeHeader('z', 0, [AT.size, size]));
    expectRefused((await judgePath(path)).verification, 'container', 'TAR_SIZE');
  });
});

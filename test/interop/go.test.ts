import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { concatBytes, encodeBase64, encodeHex } from '../../src/core/bytes.ts';
import { cosign } from '../../src/core/cosignature.ts';
import { sha256 } from '../../src/core/digest.ts';
import { rootOfLeaves } from '../../src/core/merkle.ts';
import { ED25519_NOTE_TYPE, encodeNote, noteKeyId, parseNote } from '../../src/core/signed-note.ts';
import { leafOf } from '../../src/ledger/chain.ts';
import { exportTiles } from '../../src/ledger/export-io.ts';
import { openLedgerReader } from '../../src/ledger/reader-io.ts';
import { edit, logKey, origin, testLedger } from '../ledger/ledger-support.ts';
import { hasTool } from '../support/cli.ts';
import { testKey } from '../support/keys.ts';
import { tempDirectory } from '../support/temp.ts';

/** Where Debian's golang-golang-x-mod-dev puts its sources. */
const GOPATH = process.env['DAEMONEYE_GOPATH'] ?? '/usr/share/gocode';
const PROGRAM = join(import.meta.dirname, 'main.go');

/** Compiled once into Go's own cache; no network, no modules. */
function go(args: readonly string[]): string {
  const env = {
    PATH: process.env['PATH'],
    HOME: process.env['HOME'] ?? '/tmp',
    GOPATH,
    GO111MODULE: 'off',
    GOFLAGS: '',
    GOPROXY: 'off',
    CGO_ENABLED: '0',
  };
  return execFileSync('go', ['run', PROGRAM, ...args], { env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

const hasModule = existsSync(join(GOPATH, 'src/golang.org/x/mod/sumdb/tlog'));
if (!hasModule) console.warn('SKIPPED: what needs golang.org/x/mod (Debian: golang-golang-x-mod-dev)');
const canRun = hasModule && hasTool('go');

describe.skipIf(!canRun)("Go's sumdb/note and sumdb/tlog (skipped without go and golang-golang-x-mod-dev)", () => {
  const vkey = [
    origin,
    encodeHex(noteKeyId(origin, ED25519_NOTE_TYPE, logKey.publicKey)),
    encodeBase64(concatBytes(ED25519_NOTE_TYPE, logKey.publicKey.raw)),
  ].join('+');
  const witness = testKey('witness');

  // The compiler may take long the first time, which must not count as the test's time.
  beforeAll(() => {
    expect(() => go([])).toThrow();
  }, 300_000);

  it.each([1, 255, 256, 257, 600])('accept the note, tiles, proofs and cosignature of a log of %i', async (lines) => {
    const { directory, lines: written } = await testLedger({ hash: 'sha256', lines });
    const out = join(tempDirectory(), 'tiles');
    await exportTiles({ directory, out, prove: { from: 0, to: Math.min(lines, 20) } });
    const leaves = written.map((line) => leafOf(sha256, line));
    using reader = await openLedgerReader(directory);
    const olds = [...new Set([1, Math.ceil(lines / 3), lines - 1, lines])].filter((size) => size > 0);
    const proofs = await Promise.all(
      olds.map(async (size) => {
        const hashes = [rootOfLeaves(sha256, leaves.slice(0, size)), ...(await reader.proveConsistency(size, lines))];
        return `${size} ${hashes.map(encodeBase64).join(' ')}`;
      }),
    );
    const [proofFile, noteFile] = [join(tempDirectory(), 'proofs'), join(tempDirectory(), 'note')];
    writeFileSync(proofFile, proofs.join('\n'));
    const cosigned = cosign(parseNote(reader.head.note), 'witness.example', witness, 'sha256', 1_700_000_000_999);
    writeFileSync(noteFile, encodeNote(cosigned));
    const args = [noteFile, 'witness.example', encodeBase64(witness.publicKey.raw)];
    expect(go([out, vkey, proofFile, ...args])).toBe(
      `entries ${lines} proofs ${Math.min(lines, 20)} extensions ${olds.length}\ncosigned at 1700000000\n`,
    );
    if (lines !== 257) return;

    // And they do refuse: one bit of a tile, of an entry, of a proof; the key of another log.
    const flip = (path: string) => edit(path, (bytes) => bytes.with(30, (bytes[30] ?? 0) ^ 1));
    const refuses = (path: string) => {
      const whole = readFileSync(path);
      flip(path);
      expect(() => go([out, vkey, proofFile])).toThrow();
      writeFileSync(path, whole);
    };
    refuses(join(out, 'tile/0/000'));
    refuses(join(out, 'tile/1/000.p/1'));
    refuses(join(out, 'tile/entries/000'));
    refuses(join(out, 'proof/3.tlog-proof'));
    refuses(join(out, 'checkpoint'));
    expect(() => go([out, vkey.replace('host-1', 'host-2'), proofFile])).toThrow();
    expect(go([out, vkey, proofFile])).toContain('entries 257');
  });
});

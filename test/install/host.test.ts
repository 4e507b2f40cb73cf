import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { encodeEnvelope, parseEnvelope } from '../../src/core/dsse.ts';
import { initHost } from '../../src/install/host-io.ts';
import { readInstall } from '../../src/install/install-io.ts';
import { pinRoot } from '../../src/install/pin-io.ts';
import { loadPinnedRoot } from '../../src/install/root-store-io.ts';
import { systemRandom } from '../../src/ledger/surroundings-io.ts';
import { parseRoot } from '../../src/verify/trust-root.ts';
import { BUILT_AT, ISSUED_AT, makeEnclave, open, rootOne, rootTwo } from '../support/enclave.ts';
import { expectCode, expectCodeAsync } from '../support/expect-code.ts';
import { tempDirectory } from '../support/temp.ts';

describe('init', () => {
  it('makes a private directory with a random host id and its key', () => {
    const data = join(tempDirectory(), 'deep', 'data');
    const { host, origin } = initHost(data, ISSUED_AT, systemRandom);
    expect(host).toMatch(/^[0-9a-f]{32}$/);
    expect(origin).toBe(`daemoneye.invalid/${host}/install`);
    expect(statSync(data).mode & 0o777).toBe(0o700);
    expect(statSync(join(data, 'keys', 'logs', 'install.key.pem')).mode & 0o777).toBe(0o600);
  });

  it('leaves a data directory alone that is one already', () => {
    const data = join(tempDirectory(), 'data');
    initHost(data, ISSUED_AT, systemRandom);
    expectCode(() => initHost(data, ISSUED_AT, systemRandom), 'ALREADY_INITIALISED');
  });

  it('starts over after a crash before the log was made', async () => {
    const data = join(tempDirectory(), 'data');
    initHost(data, ISSUED_AT, systemRandom);
    rmSync(join(data, 'logs'), { recursive: true });
    initHost(data, ISSUED_AT, systemRandom);
    expect((await readInstall(data, BUILT_AT)).state.channels.size).toBe(0);
  });

  it.each(['notes.txt', 'bundles/samples/x', 'staging/x', 'keys/alice.key.pem', 'trust/roots/1.root.dsse.json'])(
    "leaves a directory alone that holds somebody's %s",
    (path) => {
      // What a data directory's log doesn't name gets removed: a project folder must not become one by a typo.
      const data = tempDirectory();
      mkdirSync(dirname(join(data, path)), { recursive: true });
      writeFileSync(join(data, path), 'mine');
      const before = readdirSync(data);
      expectCode(() => initHost(data, ISSUED_AT, systemRandom), 'DIRECTORY_NOT_EMPTY');
      expect(readFileSync(join(data, path), 'utf8')).toBe('mine');
      expect(readdirSync(data)).toEqual(before);
    },
  );

  it('does not start over where only the genesis is gone: that would throw away the key and the log', async () => {
    const data = await makeEnclave();
    const key = readFileSync(join(data, 'keys/logs/install.key.pem'), 'utf8');
    rmSync(join(data, 'logs/install/genesis.json'));
    expectCode(() => initHost(data, ISSUED_AT, systemRandom), 'DIRECTORY_NOT_EMPTY');
    expect(readFileSync(join(data, 'keys/logs/install.key.pem'), 'utf8')).toBe(key);
  });

  it('says what to do where there is none', async () => {
    await expectCodeAsync(readInstall(join(tempDirectory(), 'none'), BUILT_AT), 'NOT_INITIALISED');
    await expectCodeAsync(open(join(tempDirectory(), 'none')), 'NOT_INITIALISED');
  });

  it('lets one process in at a time', async () => {
    const data = await makeEnclave();
    await using _first = await open(data);
    await expectCodeAsync(open(data), 'LOCKED');
  });
});

describe('pin', () => {
  const fresh = () => {
    const data = join(tempDirectory(), 'data');
    initHost(data, ISSUED_AT, systemRandom);
    return data;
  };

  it('takes the root with the fingerprint, with or without its prefix', async () => {
    const data = fresh();
    await using install = await open(data);
    const { digest } = parseRoot(rootOne());
    await pinRoot(install, rootOne(), digest.replace('sha256:', ''));
    expect(loadPinnedRoot(install.layout, install.state).digest).toBe(digest);
  });

  it('has none before', async () => {
    const { layout, state } = await readInstall(fresh(), BUILT_AT);
    expectCode(() => loadPinnedRoot(layout, state), 'NO_TRUST_ROOT');
  });

  it('refuses another fingerprint, a second pin, a root its holders did not sign, and one that has expired', async () => {
    const data = fresh();
    const root = rootOne();
    const { digest } = parseRoot(root);
    await using install = await open(data);
    await expectCodeAsync(pinRoot(install, root, `sha256:${'0'.repeat(64)}`), 'ROOT_FINGERPRINT');
    const { payloadType, payload } = parseEnvelope(root, 'application/vnd.daemoneye.root+json');
    const unsigned = encodeEnvelope({ payloadType, payload, signatures: [] });
    await expectCodeAsync(pinRoot(install, unsigned, digest), 'ROOT_SIGNATURES_OWN');
    expect(readdirSync(install.layout.roots)).toEqual([]);
    await pinRoot(install, root, digest);
    await expectCodeAsync(pinRoot(install, rootTwo(root), parseRoot(rootTwo(root)).digest), 'ALREADY_PINNED');
  });

  it('refuses one that expired before this program was built', async () => {
    const data = fresh();
    const { openInstall } = await import('../../src/install/install-io.ts');
    const { systemSurroundings } = await import('../../src/ledger/surroundings-io.ts');
    const later = '2030-01-01T00:00:00.000Z';
    await using install = await openInstall(data, later, systemSurroundings(), { type: 'process', id: 'test' });
    await expectCodeAsync(pinRoot(install, rootOne(), parseRoot(rootOne()).digest), 'ROOT_EXPIRED');
  });
});

describe("a damaged data directory is our own state, not a stranger's document", () => {
  const damage = async (path: string, text: string | undefined) => {
    const data = await makeEnclave();
    rmSync(join(data, path));
    if (text !== undefined) writeFileSync(join(data, path), text);
    return data;
  };

  it.each(['junk', undefined])('keys that are %s', async (text) => {
    await expectCodeAsync(open(await damage('keys/logs/install.key.pem', text)), 'STATE_TAMPERED');
    await expectCodeAsync(readInstall(await damage('keys/logs/install.pub.pem', text), BUILT_AT), 'STATE_TAMPERED');
  });

  it('a checkpoint that is junk, or of another host', async () => {
    const theirs = readFileSync(join(await makeEnclave(), 'trust/install.checkpoint'), 'utf8');
    for (const text of ['junk', theirs]) {
      const data = await damage('trust/install.checkpoint', text);
      await expectCodeAsync(open(data), 'STATE_TAMPERED');
      await expectCodeAsync(readInstall(data, BUILT_AT), 'STATE_TAMPERED');
    }
  });

  it('a genesis that is junk', async () => {
    const data = await damage('logs/install/genesis.json', 'junk');
    await expectCodeAsync(open(data), 'STATE_TAMPERED');
    await expectCodeAsync(readInstall(data, BUILT_AT), 'STATE_TAMPERED');
  });

  it('a log without its entries', async () => {
    const data = await makeEnclave();
    rmSync(join(data, 'logs/install/entries'), { recursive: true });
    await expectCodeAsync(open(data), 'STATE_TAMPERED');
  });

  it('is mended where nothing is lost: no bundles yet, and no folder for them', async () => {
    const data = await makeEnclave();
    rmSync(join(data, 'bundles'), { recursive: true });
    await using install = await open(data);
    expect(readdirSync(install.layout.bundles)).toEqual([]);
  });
});

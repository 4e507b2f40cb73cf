import { cpSync, existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { ensureHostLog } from '../../src/install/host-io.ts';
import { loadLogPublicKey, readPrivateKey, storePrivateKey } from '../../src/install/host-keys-io.ts';
import { readInstall } from '../../src/install/install-io.ts';
import { dataLayout, INSTALL_LOG, logKeyFiles } from '../../src/install/layout.ts';
import { loadLogKey, rotateHostLog } from '../../src/install/log-rotation-io.ts';
import { issueReceipt } from '../../src/install/receipt-io.ts';
import { readEpochs } from '../../src/ledger/epochs-io.ts';
import { readGenesis } from '../../src/ledger/open-io.ts';
import { rotateLedger } from '../../src/ledger/rotate-io.ts';
import { systemSurroundings } from '../../src/ledger/surroundings-io.ts';
import { verifyLedger } from '../../src/ledger/verify-io.ts';
import { openLedgerWriter } from '../../src/ledger/writer-io.ts';
import { BUILT_AT, ISSUED_AT, makeEnclave, open } from '../support/enclave.ts';
import { expectCodeAsync } from '../support/expect-code.ts';
import { failingAt } from '../support/failing-disk.ts';
import { testKey } from '../support/keys.ts';
import { SLOW } from '../support/slow.ts';
import { tempDirectory } from '../support/temp.ts';

vi.mock(import('node:fs'), async (original) =>
  (await import('../support/failing-disk.ts')).failingFs(await original()),
);
vi.mock(import('node:fs/promises'), async (original) =>
  (await import('../support/failing-disk.ts')).failingPromises(await original()),
);

const surroundings = systemSurroundings();
const rotate = (data: string, log: string = INSTALL_LOG) =>
  rotateHostLog({ layout: dataLayout(data), log, issuedAt: ISSUED_AT, surroundings });
const logOf = (data: string, log: string = INSTALL_LOG) => join(data, 'logs', log);
const filesOf = (data: string, log: string = INSTALL_LOG) => logKeyFiles(dataLayout(data), log);
const epochsOf = (data: string, log: string = INSTALL_LOG) =>
  readEpochs(logOf(data, log), readGenesis(logOf(data, log))).epochs;

/** A data directory with logs of the agent and procmond, too. */
async function host(): Promise<string> {
  const data = await makeEnclave();
  const layout = dataLayout(data);
  const { host: id } = readGenesis(layout.installLog);
  for (const log of ['agent', 'procmond']) {
    ensureHostLog(layout, id, log, ISSUED_AT);
    await append(data, log);
  }
  return data;
}

async function append(data: string, log: string, key = filesOf(data, log).privateKey): Promise<void> {
  await using writer = await openLedgerWriter({
    directory: logOf(data, log),
    key: readPrivateKey(key),
    ...systemSurroundings(),
  });
  await writer.append({ type: 'process.start', actor: { type: 'process', id: log }, data: {} });
}

async function expectTrusted(data: string, log: string = INSTALL_LOG): Promise<void> {
  const report = await verifyLedger(logOf(data, log), { key: loadLogPublicKey(dataLayout(data), log) });
  expect(report.checks.filter(({ status }) => status === 'fail')).toEqual([]);
  expect(report.verdict).toBe('trusted');
}

/** What lies in keys/ as text, by name. */
function keysIn(data: string): Map<string, string> {
  const folder = join(data, 'keys');
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  const plain = names.filter((name) => statSync(join(folder, name)).isFile());
  return new Map(plain.map((name) => [name, readFileSync(join(folder, name), 'latin1')]));
}

describe('the logs of a host', () => {
  it('have a key each, private, and an enrolment names each', async () => {
    const data = await host();
    const keys = ['agent', 'install', 'procmond'].map((log) => {
      expect(statSync(filesOf(data, log).privateKey).mode & 0o777).toBe(0o600);
      const key = loadLogPublicKey(dataLayout(data), log);
      expect(readGenesis(logOf(data, log)).key.keyid).toBe(key.keyid);
      return key.keyid;
    });
    expect(new Set(keys).size).toBe(3);
  });

  it('get a new one, one log at a time; the old private key is gone', async () => {
    const data = await host();
    for (const log of ['install', 'agent', 'procmond']) {
      const others = [...keysIn(data)].filter(([name]) => !name.startsWith(`logs/${log}.`));
      const old = readFileSync(filesOf(data, log).privateKey, 'latin1');
      const { changed, number, epoch } = await rotate(data, log);
      expect([changed, number]).toEqual([true, 1]);
      const key = readPrivateKey(filesOf(data, log).privateKey);
      expect(epoch.key.keyid).toBe(key.publicKey.keyid);
      expect(loadLogPublicKey(dataLayout(data), log).keyid).toBe(key.publicKey.keyid);
      expect(statSync(filesOf(data, log).privateKey).mode & 0o777).toBe(0o600);
      const now = keysIn(data);
      expect([...now.values()].filter((text) => text.includes(old.split('\n')[1] ?? old))).toEqual([]);
      expect(existsSync(filesOf(data, log).next)).toBe(false);
      for (const [name, text] of others) expect(now.get(name)).toBe(text);
      await expectTrusted(data, log);
    }
    await append(data, 'procmond');
    await expectTrusted(data, 'procmond');
    await rotate(data, 'procmond');
    expect(epochsOf(data, 'procmond')).toHaveLength(3);
    await expectTrusted(data, 'procmond');
  });

  it('the install log goes on being the state, in its new epoch as in the old', async () => {
    const data = await host();
    const before = (await readInstall(data, BUILT_AT)).state;
    await rotate(data);
    expect((await readInstall(data, BUILT_AT)).state).toEqual(before);
    await using install = await open(data);
    const { document } = await issueReceipt(install);
    expect(document.checkpoints).toHaveLength(3);
    expect((await readInstall(data, BUILT_AT)).state.nonces).toEqual([document.nonce]);
  });

  it('are not given a new key while somebody has them open', async () => {
    const data = await host();
    await using _install = await open(data);
    const before = keysIn(data);
    await expectCodeAsync(rotate(data), 'LOG_IN_USE');
    expect(keysIn(data)).toEqual(new Map([...before, ['logs/install.lock', '']]));
    const { privateKey } = filesOf(data, 'procmond');
    const directory = logOf(data, 'procmond');
    await using _procmond = await openLedgerWriter({ directory, key: readPrivateKey(privateKey), ...surroundings });
    await expectCodeAsync(rotate(data, 'procmond'), 'LOG_IN_USE');
    expect(epochsOf(data)).toHaveLength(1);
  });
});

describe('whoever stole the old key', () => {
  it('can not write to the log any more, nor sign lines in it', async () => {
    const data = await host();
    const stolen = join(tempDirectory(), 'stolen.pem');
    cpSync(filesOf(data).privateKey, stolen);
    await rotate(data);
    await expectCodeAsync(append(data, INSTALL_LOG, stolen), 'WRONG_KEY');
    // A line that acts, signed with it by whoever can write the files: as a crash may leave one.
    const copy = join(tempDirectory(), 'copy');
    cpSync(data, copy, { recursive: true, verbatimSymlinks: true });
    const writer = await openLedgerWriter({
      directory: logOf(copy),
      key: readPrivateKey(filesOf(copy).privateKey),
      ...surroundings,
    });
    const { line } = await writer.append({
      type: 'receipt.issued',
      actor: { type: 'process', id: 'thief' },
      data: { nonce: 'f'.repeat(32) },
      signer: readPrivateKey(stolen),
    });
    await writer.close();
    // Under a head of the new key it would be tampering as well.
    await expectCodeAsync(readInstall(copy, BUILT_AT), 'STATE_TAMPERED');
    const entries = join(logOf(data), 'entries/000000000000.ndjson');
    writeFileSync(entries, Buffer.concat([readFileSync(entries), line, Buffer.from('\n')]));
    await expectCodeAsync(readInstall(data, BUILT_AT), 'STATE_TAMPERED');
    await expectCodeAsync(open(data), 'TAMPERED');
  });

  it('can not undo the change: the key that is known beside the log tells', async () => {
    const data = await host();
    const before = join(tempDirectory(), 'before');
    cpSync(data, before, { recursive: true, verbatimSymlinks: true });
    await rotate(data);
    // Log, epochs and anchor as they were: all that lies outside of keys/.
    rmSync(logOf(data), { recursive: true });
    cpSync(logOf(before), logOf(data), { recursive: true });
    cpSync(join(before, 'trust/install.checkpoint'), join(data, 'trust/install.checkpoint'));
    await expectCodeAsync(readInstall(data, BUILT_AT), 'STATE_TAMPERED');
    await expectCodeAsync(open(data), 'STATE_TAMPERED');
  });

  it('can not pass the log on to another key of theirs', async () => {
    const data = await host();
    const stolen = readPrivateKey(filesOf(data).privateKey);
    const fork = join(tempDirectory(), 'fork');
    cpSync(data, fork, { recursive: true, verbatimSymlinks: true });
    await rotate(data);
    const newKey = testKey('thief');
    await rotateLedger({ directory: logOf(fork), key: stolen, newKey, issuedAt: ISSUED_AT, ...surroundings });
    rmSync(logOf(data), { recursive: true });
    cpSync(logOf(fork), logOf(data), { recursive: true });
    await expectCodeAsync(readInstall(data, BUILT_AT), 'STATE_TAMPERED');
    await expectCodeAsync(open(data), 'STATE_TAMPERED');
  });
});

describe('a rotation that is cut off', () => {
  /** Under `SLOW=1` every step; otherwise each of the first, where most of them differ, and some of the rest. */
  const steps = (step: number): number => (SLOW || step < 5 ? step + 1 : step + 6);

  it.each([
    ['the machine goes down at', INSTALL_LOG, true],
    ['the disk fails once at', INSTALL_LOG, false],
    ['the machine goes down at', 'procmond', true],
  ])(
    '%s each durable step of it (%s): the log has its old key or the new one, and the next command mends it',
    {
      timeout: 300_000,
    },
    async (_what, log, forGood) => {
      const base = await host();
      const old = readPrivateKey(filesOf(base, log).privateKey).publicKey.keyid;
      const pem = readFileSync(filesOf(base, log).privateKey, 'latin1').split('\n')[1] ?? '';
      const seen = { old: 0, new: 0 };
      for (let step = 1; ; step = steps(step)) {
        const data = join(tempDirectory(), 'data');
        cpSync(base, data, { recursive: true, verbatimSymlinks: true });
        let error: unknown;
        const failed = await failingAt(step, forGood, () =>
          rotate(data, log).catch((cause: unknown) => {
            error = cause;
          }),
        );
        if (!failed) break;
        // Who only reads finds a log that holds, and state that is the same, before anything is mended.
        await expectTrusted(data, log);
        if (log === INSTALL_LOG) await readInstall(data, BUILT_AT);
        const key = await loadLogKey(dataLayout(data), log, surroundings);
        const { keyid } = key.publicKey;
        const epochs = epochsOf(data, log);
        expect(epochs.at(-1)?.key.keyid, `step ${step}`).toBe(keyid);
        seen[keyid === old ? 'old' : 'new'] += 1;
        // The change is told as one, or it did not happen.
        if (error === undefined) expect(keyid).not.toBe(old);
        const files = keysIn(data);
        expect(existsSync(filesOf(data, log).next)).toBe(false);
        expect(loadLogPublicKey(dataLayout(data), log).keyid).toBe(keyid);
        if (keyid !== old) expect([...files.values()].filter((text) => text.includes(pem))).toEqual([]);
        if (log === INSTALL_LOG) await (await open(data))[Symbol.asyncDispose]();
        else await append(data, log);
        await expectTrusted(data, log);
        expect((await rotate(data, log)).number).toBe(epochs.length);
        await expectTrusted(data, log);
        rmSync(dirname(data), { recursive: true });
      }
      expect(seen.old).toBeGreaterThan(2);
      expect(seen.new).toBeGreaterThan(2);
    },
  );

  it('is finished by the same command, which says that it was begun before', async () => {
    const data = await host();
    const copy = join(tempDirectory(), 'data');
    cpSync(data, copy, { recursive: true, verbatimSymlinks: true });
    await rotate(copy);
    const key = readPrivateKey(filesOf(copy).privateKey);
    // Killed between the log and the files of its key.
    rmSync(logOf(data), { recursive: true });
    cpSync(logOf(copy), logOf(data), { recursive: true });
    storePrivateKey(filesOf(data).next, key);
    const { changed, epoch, number } = await rotate(data);
    expect([changed, epoch.key.keyid, number]).toEqual([false, key.publicKey.keyid, 1]);
    expect((await rotate(data)).number).toBe(2);
  });

  it('that never came to be leaves no second private key behind', async () => {
    const data = await host();
    storePrivateKey(filesOf(data).next, testKey('never'));
    await (await open(data))[Symbol.asyncDispose]();
    expect(existsSync(filesOf(data).next)).toBe(false);
    expect(epochsOf(data)).toHaveLength(1);
  });

  it('whose new key was damaged is our own state, damaged: the old one is not taken for it', async () => {
    const data = await host();
    writeFileSync(filesOf(data).next, 'junk');
    await expectCodeAsync(open(data), 'STATE_TAMPERED');
    await expectCodeAsync(rotate(data), 'STATE_TAMPERED');
  });
});

import { cpSync, existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { loadLogPublicKey, readPrivateKey } from '../../src/install/host-keys-io.ts';
import { dataLayout, INSTALL_LOG, logKeyFiles } from '../../src/install/layout.ts';
import { verifyLedger } from '../../src/ledger/verify-io.ts';
import { ensureBuilt } from '../support/cli.ts';
import { makeEnclave, open } from '../support/enclave.ts';
import { SLOW } from '../support/slow.ts';
import { callsMade, canTrace, killedAt } from '../support/strace.ts';
import { tempDirectory } from '../support/temp.ts';

const CHILD = join(import.meta.dirname, 'rotate-child.ts');
/** As for an apply; every step of a change of keys is one of these. */
const CALLS = ['rename', 'fsync', 'fdatasync', 'pwrite64'];
const MORE = ['unlink', 'ftruncate', 'fchmod', 'write'];
const following = (nth: number): number => (SLOW || nth < 2 ? nth + 1 : nth + 9);

describe.skipIf(!canTrace)('killed at a system call (needs strace)', () => {
  beforeAll(ensureBuilt);

  it('a rotation of the install log leaves its old key or its new one, and the next command mends the rest', {
    timeout: SLOW ? 900_000 : 180_000,
  }, async () => {
    const base = await makeEnclave();
    const { privateKey } = logKeyFiles(dataLayout(base), INSTALL_LOG);
    const old = readPrivateKey(privateKey).publicKey.keyid;
    const secret = readFileSync(privateKey, 'latin1').split('\n')[1] ?? '';
    const seen = { old: 0, new: 0 };
    const command = () => {
      const data = join(tempDirectory(), 'data');
      cpSync(base, data, { recursive: true, verbatimSymlinks: true });
      return { data, args: [CHILD, data, INSTALL_LOG] };
    };
    const calls = SLOW ? [...CALLS, ...MORE] : CALLS;
    const made = callsMade(calls, command().args);
    for (const call of calls) {
      // A call that is never made would prove nothing.
      const times = made.get(call) ?? 0;
      expect(times, call).toBeGreaterThan(0);
      for (let nth = 1; nth <= times; nth = following(nth)) {
        const { data, args } = command();
        if (!killedAt(call, nth, args)) break;
        await (await open(data))[Symbol.asyncDispose]();
        const layout = dataLayout(data);
        const files = logKeyFiles(layout, INSTALL_LOG);
        const key = readPrivateKey(files.privateKey).publicKey;
        const what = `${call} ${nth}`;
        expect(loadLogPublicKey(layout, INSTALL_LOG).keyid, what).toBe(key.keyid);
        expect(existsSync(files.next), what).toBe(false);
        const report = await verifyLedger(layout.installLog, { key });
        expect(report.verdict, what).toBe('trusted');
        expect(report.signers, what).toEqual([{ keyid: key.keyid, role: 'log' }]);
        seen[key.keyid === old ? 'old' : 'new'] += 1;
        if (key.keyid !== old) {
          const texts = readdirSync(layout.logKeys).map((name) => readFileSync(join(layout.logKeys, name), 'latin1'));
          expect(
            texts.filter((text) => text.includes(secret)),
            what,
          ).toEqual([]);
        }
        rmSync(dirname(data), { recursive: true });
      }
    }
    expect(seen.old).toBeGreaterThan(0);
    expect(seen.new).toBeGreaterThan(0);
  });
});

import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { lockAgent } from '../../src/agent/lock-io.ts';
import type { Report } from '../../src/core/checks.ts';
import { ensureHostLog } from '../../src/install/host-io.ts';
import { dataLayout } from '../../src/install/layout.ts';
import { readGenesis } from '../../src/ledger/open-io.ts';
import { expectError, inside, jsonOf } from '../support/cli.ts';
import { tempDirectory } from '../support/temp.ts';
import { finishRoot, ok, privateKey, publicKey, publish, told } from '../support/workspace.ts';

type Rotated = { readonly changed: boolean; readonly epoch: number; readonly keyid: string; readonly seq: number };
type Status = { readonly epoch: number; readonly keyid: string; readonly size: number };

/** A host that is enrolled with the keys its logs have at first, its publisher, a witness. */
async function stage() {
  const place = tempDirectory();
  const at = (name: string) => join(place, name);
  const [data, root] = [at('host'), at('root')];
  await ok('trust', 'init', root, '--expires', '365d', '--enclave', 'plant-7');
  await ok('trust', 'add-key', root, publicKey('alice'), '--operator', 'alice');
  for (const role of ['root', 'rules', 'enrol']) {
    await ok('trust', 'set-role', root, role, '--threshold', '1', '--key', 'alice');
  }
  const fingerprint = await finishRoot(root, 'alice');
  await ok('init', '--data', data);
  await ok('trust', 'pin', join(root, '1.root.dsse.json'), '--fingerprint', fingerprint, '--data', data);
  await ok('trust', 'enrol', 'request', '--out', at('enrolment'), '--data', data);
  await ok('trust', 'enrol', 'host', at('enrolment'), '--key', privateKey('alice'));
  await ok('trust', 'enrol', 'accept', at('enrolment'), '--data', data);
  return { at, data, root, log: join(data, 'logs/install') };
}

async function verified(file: string, ...trust: readonly string[]): Promise<{ code: number | null; report: Report }> {
  const ran = await inside(['evidence', 'verify', file, ...trust, '--json']);
  return { code: ran.code, report: jsonOf<Report>(ran, 'report') };
}

const codeOf = ({ report }: { readonly report: Report }) => report.checks.find(({ status }) => status === 'fail')?.code;

describe('the install log with a new key', () => {
  it('is state, receipt, evidence and anchor as before, for those who know the old key alone', async () => {
    const { at, data, root, log } = await stage();
    cpSync(join(data, 'keys/logs/install.pub.pem'), at('old.pub.pem'));
    cpSync(join(data, 'keys/logs/install.key.pem'), at('stolen.key.pem'));
    cpSync(data, at('stolen'), { recursive: true, verbatimSymlinks: true });
    await ok('ledger', 'witness', 'init', '--state', at('witness'), '--name', 'witness.example');
    const asked = await told<{ fingerprint: string }>(
      ...['ledger', 'witness', 'request', '--data', data, '--out', at('1.request')],
    );
    const watching = ['--state', at('witness'), '--fingerprint', asked.fingerprint];
    await ok('ledger', 'witness', 'watch', join(log, 'genesis.json'), ...watching);
    await ok('ledger', 'witness', 'cosign', at('1.request'), '--state', at('witness'), '--out', at('1.cosigned'));
    const witness = ['--data', data, '--witness-key', at('witness/witness.pub.pem')];
    await ok('ledger', 'witness', 'accept', at('1.cosigned'), ...witness);
    const before = await told<Status>('ledger', 'status', log);

    const ran = await ok('ledger', 'rotate', log, '--data', data, '--json');
    const rotated = jsonOf<Rotated>(ran, 'ledger-rotate');
    expect(rotated).toMatchObject({ changed: true, epoch: 1, seq: before.size });
    expect(ran.stderr).toContain('trust enrol request');

    const bundle = await publish(at('.'), 'linux-1', { root, signers: ['alice'] });
    await ok('bundle', 'apply', bundle, '--yes', '--data', data);
    await ok('bundle', 'receipt', '--out', at('receipt.json'), '--data', data);
    const status = jsonOf<Status>(await ok('ledger', 'status', log, '--json'), 'ledger-status');
    expect(status).toMatchObject({ epoch: 1, keyid: rotated.keyid });

    // The host itself, and a stranger who knows the key that the log had at first.
    cpSync(log, at('copy'), { recursive: true });
    for (const args of [[], [log], [at('copy'), '--key', at('old.pub.pem')]]) {
      const report = jsonOf<Report>(await ok('ledger', 'verify', ...args, '--data', data, '--json'), 'report');
      expect(report.signers).toEqual([{ keyid: rotated.keyid, role: 'log' }]);
      expect(report.checks.find(({ name }) => name === 'epochs')).toMatchObject({
        reason: expect.stringContaining(`epoch 1 began with line ${rotated.seq}`),
      });
    }
    await ok('ledger', 'witness', 'request', '--data', data, '--out', at('2.request'));
    await ok('ledger', 'witness', 'cosign', at('2.request'), '--state', at('witness'), '--out', at('2.cosigned'));
    await ok('ledger', 'witness', 'accept', at('2.cosigned'), ...witness);
    await ok('ledger', 'verify', ...witness);

    const out = at('plant-7-1.evidence.tar');
    await ok('evidence', 'export', '--range', `install:0-${status.size}`, '--out', out, '--data', data);
    const trusted = await verified(out, '--trust', root);
    expect([trusted.code, trusted.report.signers]).toEqual([0, [{ keyid: rotated.keyid, role: 'log' }]]);
    expect(trusted.report.checks.find(({ name }) => name === 'checkpoints')?.reason).toContain(
      `epoch 1, since line ${rotated.seq}`,
    );
    const station = at('station');
    await ok('init', '--data', station);
    await ok('case', 'create', 'plant-7', '--data', station);
    await ok('case', 'add', 'plant-7', out, '--trust', root, '--data', station);

    // The old key was stolen: what it signed last is spared, by a note that the log kept.
    await ok('ledger', 'checkpoint', log, '--size', String(rotated.seq)).then(({ stdout }) =>
      writeFileSync(at('last.checkpoint'), stdout),
    );
    const theirs = at('plant-7-2.evidence.tar');
    await ok('bundle', 'apply', bundle, '--yes', '--data', at('stolen'));
    await ok('evidence', 'export', '--range', 'install:0-2', '--out', theirs, '--data', at('stolen'));
    const revoking = async (name: string, ...spared: readonly string[]) => {
      const next = at(name);
      cpSync(root, next, { recursive: true });
      await ok('trust', 'init', next, '--expires', '400d');
      await ok('trust', 'revoke', next, '--key', at('old.pub.pem'), ...spared);
      await finishRoot(next, 'alice');
      return ['--trust', next];
    };
    const spared = await revoking('root-2', '--valid-through', at('last.checkpoint'));
    expect((await verified(out, ...spared)).code).toBe(0);
    expect(codeOf(await verified(theirs, ...spared))).toBe('KEY_REVOKED');
    expect(codeOf(await verified(out, ...(await revoking('root-2b'))))).toBe('KEY_REVOKED');

    // Enrolled anew, it is the new key that counts.
    await ok('trust', 'enrol', 'request', '--out', at('enrolment-2'), '--data', data);
    const text = Buffer.from(
      (JSON.parse(readFileSync(at('enrolment-2'), 'utf8')) as { payload: string }).payload,
      'base64',
    ).toString();
    expect(JSON.parse(text)).toMatchObject({ logs: [{ keyid: rotated.keyid }] });
  });

  it('can be changed where a crash left the change half done, and commands that use the key mend it', async () => {
    const { at, data, log } = await stage();
    cpSync(data, at('done'), { recursive: true, verbatimSymlinks: true });
    const { keyid } = await told<Rotated>('ledger', 'rotate', join(at('done'), 'logs/install'), '--data', at('done'));
    const half = () => {
      rmSync(log, { recursive: true });
      cpSync(join(at('done'), 'logs/install'), log, { recursive: true });
      cpSync(join(at('done'), 'keys/logs/install.key.pem'), join(data, 'keys/logs/install.next.pem'));
    };
    half();
    await ok('ledger', 'verify', '--data', data);
    await ok('bundle', 'list', '--data', data);
    const out = at('plant-7-1.evidence.tar');
    await ok('evidence', 'export', '--range', 'install:0-1', '--out', out, '--data', data);
    expect(readFileSync(join(data, 'keys/logs/install.key.pem'))).toEqual(
      readFileSync(join(at('done'), 'keys/logs/install.key.pem')),
    );
    expect(await told<Rotated>('ledger', 'rotate', log, '--data', data)).toMatchObject({ changed: true, epoch: 2 });
    expect((await told<Status>('ledger', 'status', log)).keyid).not.toBe(keyid);
  });
});

describe('ledger rotate of a log of this host', () => {
  it('is refused with what to stop, while the agent runs, and otherwise done for each of them', async () => {
    const { data } = await stage();
    const layout = dataLayout(data);
    for (const log of ['agent', 'procmond']) {
      ensureHostLog(layout, readGenesis(layout.installLog).host, log, '2026-02-01T00:00:00.000Z');
    }
    const running = lockAgent(data);
    for (const log of ['agent', 'procmond']) {
      const refused = await inside(['ledger', 'rotate', join(data, 'logs', log), '--data', data]);
      expectError(refused, 'AGENT_RUNNING', 5);
      expect(refused.stderr).toContain('daemoneye agent stop');
    }
    // The agent only reads the install log.
    await ok('ledger', 'rotate', join(data, 'logs/install'), '--data', data);
    running.release();
    for (const log of ['agent', 'procmond']) {
      const directory = join(data, 'logs', log);
      expect(await told<Rotated>('ledger', 'rotate', directory, '--data', data)).toMatchObject({ epoch: 1, seq: 0 });
      await ok('ledger', 'verify', directory, '--data', data);
    }
  });

  it('takes no key from outside, and a log that somebody put beside them needs both', async () => {
    const { data, log } = await stage();
    const keys = ['--key', privateKey('alice'), '--new-key', privateKey('bob')];
    expectError(await inside(['ledger', 'rotate', log, ...keys, '--data', data]), 'USAGE_OPTION', 2);
    cpSync(log, join(data, 'logs/lab'), { recursive: true });
    expectError(await inside(['ledger', 'rotate', join(data, 'logs/lab'), '--data', data]), 'USAGE_OPTION', 2);
    const report = await inside(['ledger', 'verify', join(data, 'logs/lab'), '--data', data, '--json']);
    expect([report.code, codeOf({ report: jsonOf<Report>(report, 'report') })]).toEqual([3, 'KEY_NOT_GIVEN']);
  });
});

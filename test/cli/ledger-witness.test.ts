import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Report } from '../../src/core/checks.ts';
import { testLedger } from '../ledger/ledger-support.ts';
import { expectError, inside, jsonOf } from '../support/cli.ts';
import { tempDirectory } from '../support/temp.ts';
import { finishRoot, ok, publicKey } from '../support/workspace.ts';

type Seen = { logs: { seen: { size: number } | null }[] };

/** A host with its install log, and a witness elsewhere that watches it. */
async function stage() {
  const place = tempDirectory();
  const at = (name: string) => join(place, name);
  const data = at('host');
  const run = async (args: string, exit = 0, now = '2027-01-31T12:00:00.000Z') => {
    const ran = await inside(
      args.split(' ').map((word) => word.replace(/^@/, `${place}/`)),
      { now },
    );
    expect(ran.code, ran.stderr + ran.stdout).toBe(exit);
    return ran;
  };
  await run('init --data @host');
  await run('ledger witness init --state @witness --name witness.example');
  return { at, data, run };
}

type Run = Awaited<ReturnType<typeof stage>>['run'];

/** Pins a trust root on the host: the first entry of its install log. The role witness is granted on request. */
async function rooted(run: Run, at: (name: string) => string, role?: 'witness'): Promise<void> {
  const root = at('root');
  await ok('trust', 'init', root, '--expires', '365d', '--enclave', 'plant-7');
  await ok('trust', 'add-key', root, publicKey('alice'), '--operator', 'alice');
  await ok('trust', 'set-role', root, 'root', '--threshold', '1', '--key', 'alice');
  if (role !== undefined) {
    await ok('trust', 'add-key', root, at('witness/witness.pub.pem'), '--operator', 'wanda');
    await ok('trust', 'set-role', root, role, '--threshold', '1', '--key', 'wanda');
  }
  const fingerprint = await finishRoot(root, 'alice');
  await run(`trust pin @root/1.root.dsse.json --fingerprint ${fingerprint} --data @host`);
}

/** The first round: a request as `asked`, read from `from`, answered as `answered`. */
async function witnessed(run: Run, asked = '--out @1.request', from = '@1.request', answered = '--out @1.cosigned') {
  const ran = await run(`ledger witness request --data @host ${asked} --json`);
  const { fingerprint } = jsonOf<{ fingerprint: string }>(ran, 'ledger-witness-request');
  await run(`ledger witness watch @host/logs/install/genesis.json --state @witness --fingerprint ${fingerprint}`);
  await run(`ledger witness cosign ${from} --state @witness ${answered}`);
}

describe('a witness across the gap', () => {
  it('by file: watch, request, cosign, accept, verify', async () => {
    const { at, run } = await stage();
    await rooted(run, at);
    const asked = jsonOf<{ fingerprint: string; since: number }>(
      await run('ledger witness request --data @host --out @1.request --json'),
      'ledger-witness-request',
    );
    expect(asked.since).toBe(0);
    const watching = `ledger witness watch @host/logs/install/genesis.json --state @witness --fingerprint`;
    expectError(await run(`${watching} sha256:${'0'.repeat(64)}`, 3), 'WITNESS_FINGERPRINT', 3);
    jsonOf(await run(`${watching} ${asked.fingerprint} --json`), 'ledger-witness-watch');
    const cosigning = await run('ledger witness cosign @1.request --state @witness --out @1.cosigned --json');
    expect(jsonOf<Report>(cosigning, 'report').verdict).toBe('trusted');
    const shown = jsonOf<Seen>(await run('ledger witness show --state @witness --json'), 'ledger-witness-show');
    expect(shown.logs.map(({ seen }) => seen?.size)).toEqual([1]);

    // Who isn't admitted doesn't count, whatever key is named.
    expectError(await run('ledger witness accept @1.cosigned --data @host', 3), 'WITNESS_NOT_ADMITTED', 3);
    expectError(
      await run('ledger witness accept @1.cosigned --data @host --witness-key @host/keys/receipt.pub.pem', 3),
      'WITNESS_NOT_ADMITTED',
      3,
    );
    const key = '--witness-key @witness/witness.pub.pem';
    const accepted = await run(`ledger witness accept @1.cosigned --data @host ${key} --json`);
    // Nobody holds the role: a key that is named vouches for the log, not for the time.
    expect(jsonOf<object>(accepted, 'ledger-witness-accept')).toMatchObject({ size: 1 });
    expect(accepted.stdout).not.toContain('floor');
    const before = await run('ledger verify --data @host');
    expect(before.stderr).toBe('');
    const verified = await run(`ledger verify --data @host ${key}`);
    expect(verified.stderr).toBe('witness.example saw 1 entries at 2027-01-31T12:00:00.000Z.\n');
    expect(verified.stdout).toContain('lines are known elsewhere, unchanged');
  });

  it('goes by the role witness of the pinned root where it is granted', async () => {
    const { at, run } = await stage();
    await rooted(run, at, 'witness');
    await witnessed(run);
    await run('ledger witness accept @1.cosigned --data @host');
    const { stdout, stderr } = await run('ledger verify --data @host');
    expect(stderr).toContain('witness.example saw 1 entries');
    expect(stdout).toContain('known elsewhere, unchanged');
    expectError(
      await run('ledger witness accept @1.cosigned --data @host --witness-key @host/keys/receipt.pub.pem', 3),
      'WITNESS_NOT_ADMITTED',
      3,
    );
  });

  it('raises the time floor where the role admits it, never past the end of the trust root', async () => {
    const { at, run } = await stage();
    await rooted(run, at, 'witness');
    const { fingerprint } = jsonOf<{ fingerprint: string }>(
      await run('ledger witness request --data @host --out @1.request --json'),
      'ledger-witness-request',
    );
    await run(`ledger witness watch @host/logs/install/genesis.json --state @witness --fingerprint ${fingerprint}`);
    const round = async (n: number, moment: string) => {
      if (n > 1) await run(`ledger witness request --data @host --out @${n}.request`);
      await run(`ledger witness cosign @${n}.request --state @witness --out @${n}.cosigned`, 0, moment);
      const ran = await run(`ledger witness accept @${n}.cosigned --data @host --json --accept-ahead`);
      return jsonOf<{ floor?: string }>(ran, 'ledger-witness-accept').floor;
    };
    const march = '2027-03-01T12:00:00.000Z';
    expect(await round(1, march)).toBe(march);
    // The clock of the witness ran away: what the root's end proves wrong moves nothing.
    expect(await round(2, '2029-01-01T00:00:00.000Z')).toBeUndefined();
    const { stdout } = await run('bundle list --data @host --json');
    expect(JSON.parse(stdout)).toMatchObject({ floor: march });
    const { line } = JSON.parse((await run('ledger prove 1 --data @host --json')).stdout) as { line: string };
    expect(JSON.parse(line)).toMatchObject({ type: 'floor.raised', data: { cause: 'witness', floor: march } });
  });

  it('by QR, as pictures and on the terminal', async () => {
    const { at, run } = await stage();
    await rooted(run, at);
    await witnessed(run, '--png @1.png', '@1.png', '--png @back.png');
    await run('ledger witness accept @back.png --data @host --witness-key @witness/witness.pub.pem');
    const { stdout } = await run('ledger witness request --data @host --qr --since 1');
    expect(stdout).toMatch(/code 1 of 1\n█{40,}\n/u);
    expect(stdout).toContain('since 1: 0 hashes');
  });

  it('catches a log that was set back, with what the witness kept', async () => {
    const { at, run, data } = await stage();
    cpSync(join(data, 'logs/install'), at('empty'), { recursive: true });
    await rooted(run, at);
    await witnessed(run);
    const key = '--witness-key @witness/witness.pub.pem --key @host/keys/logs/install.pub.pem';
    const refused = await run(`ledger verify @empty ${key} --cosigned @1.cosigned --json`, 3);
    const check = jsonOf<Report>(refused, 'report').checks.find(({ status }) => status === 'fail');
    expect([check?.name, check?.code]).toEqual(['anchors', 'ANCHOR_AHEAD']);
    await run('ledger verify @empty --key @host/keys/logs/install.pub.pem');
    expectError(
      await run('ledger verify @empty --key @host/keys/logs/install.pub.pem --cosigned @1.cosigned', 3),
      'WITNESS_NOT_ADMITTED',
      3,
    );
    // On the side of the log as on that of the witness.
    expectError(
      await run('ledger witness accept @1.cosigned --log @empty --witness-key @witness/witness.pub.pem', 4),
      'COSIGNED_ELSEWHERE',
      4,
    );
  });

  it('says in a sentence what it can not read', async () => {
    const { at, run } = await stage();
    await rooted(run, at);
    await witnessed(run);
    writeFileSync(at('huge'), Buffer.alloc(100_000_000));
    expectError(await run('ledger witness cosign @huge --state @witness --qr', 1), 'FILE_TOO_LARGE', 1);
    expectError(await run('ledger witness cosign @1.request --state @witness', 2), 'USAGE_OPTION', 2);
    expectError(await run('ledger witness cosign @1.request --state @nowhere --qr', 1), 'WITNESS_NOT_FOUND', 1);
    expectError(await run('ledger witness cosign @1.request --state @witness --out @1.cosigned', 1), 'FILE_EXISTS', 1);
    const damaged = readFileSync(at('1.cosigned'), 'utf8').replace(/\n1\n/, '\n2\n');
    writeFileSync(at('damaged'), damaged);
    const key = '--witness-key @witness/witness.pub.pem';
    expectError(await run(`ledger witness accept @damaged --data @host ${key}`, 3), 'NOTE_SIGNATURE', 3);
    expectError(await run(`ledger verify --data @host ${key} --cosigned @damaged`, 3), 'COSIGNED_DAMAGED', 3);
    const late = '2026-12-31T12:00:00.000Z';
    expectError(await run(`ledger witness accept @1.cosigned --data @host ${key}`, 3, late), 'COSIGNATURE_AHEAD', 3);
    await run(`ledger witness accept @1.cosigned --data @host ${key} --accept-ahead`, 0, late);
  });
});

describe('ledger export', () => {
  it('writes tiles, and refuses a blake3 log as a matter of policy', async () => {
    const { directory } = await testLedger({ hash: 'sha256', lines: 5 });
    const out = join(tempDirectory(), 'tiles');
    const ran = await inside(['ledger', 'export', directory, '--tiles', out, '--prove', '0..2', '--json']);
    expect(jsonOf<{ size: number; files: number }>(ran, 'ledger-export')).toMatchObject({ size: 5, files: 5 });
    expect(readdirSync(join(out, 'proof'))).toEqual(['0.tlog-proof', '1.tlog-proof']);
    expectError(await inside(['ledger', 'export', directory, '--tiles', out]), 'EXPORT_EXISTS', 1);
    for (const range of ['2', '2..2', '3..2', 'a..b', '0..1..2', '0..10001']) {
      const wrong = await inside(['ledger', 'export', directory, '--tiles', `${out}2`, '--prove', range]);
      expectError(wrong, 'USAGE_VALUE', 2);
    }
    const { directory: blake3 } = await testLedger({ lines: 1 });
    expectError(await inside(['ledger', 'export', blake3, '--tiles', `${out}3`]), 'EXPORT_HASH', 5);
  });
});

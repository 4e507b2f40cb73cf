import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { formatTime } from '../../src/core/time.ts';
import { ensureBuilt, hasTool, inside, ROOT } from '../support/cli.ts';
import { tempDirectory } from '../support/temp.ts';
import { runBlock, shellBlock } from './shell-blocks.ts';

const PAGE = 'docs/operations.md';
const hasOpenssl = hasTool('openssl');

/** What every procedure begins with: a publisher of three people, and an enclave that pinned their root. */
const begun = mkdtempSync(join(tmpdir(), 'daemoneye-test-'));

beforeAll(async () => {
  await ensureBuilt();
  const run = running(join(begun, 'folder'), join(begun, 'scratch'));
  for (const block of ['root-first', 'root-pin']) run(block);
});

afterAll(() => rmSync(begun, { recursive: true, force: true }));

/** A copy of it to go on from. */
function begin() {
  const folder = tempDirectory();
  cpSync(join(begun, 'folder'), folder, { recursive: true, verbatimSymlinks: true });
  return { folder, run: running(folder, tempDirectory()) };
}

function running(folder: string, scratch: string) {
  mkdirSync(folder, { recursive: true });
  return (block: string) => runBlock(shellBlock(PAGE, block), folder, scratch, { RULES: join(ROOT, 'rules') });
}

/** At the time of the real program, which runs the blocks. */
const now = formatTime(Date.now());
const here = (...args: readonly string[]) => inside(args, { now });
async function ok(...args: readonly string[]): Promise<string> {
  const ran = await here(...args);
  expect(ran.code, `daemoneye ${args.join(' ')}: ${ran.stderr}${ran.stdout}`).toBe(0);
  return ran.stdout;
}

type Reported = { readonly verdict: string; readonly checks: { readonly status: string; readonly code?: string }[] };

describe('the procedures in docs/operations.md', () => {
  it('lose one key of two of three, and go on', { timeout: 240_000 }, async () => {
    const { folder, run } = begin();
    const at = (...path: string[]) => join(folder, ...path);
    const codeOf = async (...args: string[]) => {
      const ran = await here(...args, '--json');
      const { checks } = JSON.parse(ran.stdout) as Reported;
      return [ran.code, checks.find(({ status }) => status === 'fail')?.code];
    };

    if (hasOpenssl) run('card');
    run('laptop');
    const evidence = async (name: string) => {
      const [range, out] = ['install:0-1', at(`${name}.evidence.tar`)];
      await ok(
        'evidence',
        'export',
        '--range',
        range,
        '--out',
        out,
        '--data',
        at('laptop'),
        '--key',
        at('seal.key.pem'),
      );
      return out;
    };
    await ok('keys', 'generate', 'seal', '--out', folder);
    const enrolSealer = ['--public', at('seal.pub.pem'), '--role', 'evidence', '--expires', '90d'];
    const sealer = at('seal.enrolment.json');
    await ok('trust', 'enrol', 'operator', 'dave', ...enrolSealer, '--key', at('alice/alice.key.pem'), '--out', sealer);
    await ok('trust', 'enrol', 'sign', sealer, '--key', at('bob/bob.key.pem'));
    await ok('trust', 'enrol', 'accept', sealer, '--data', at('enclave'));
    const before = await evidence('before-1');

    run('lost-draft');
    run('lost-sign');
    expect(run('lost-carry')).toContain('trust root 2 of plant-7');
    expect(existsSync(at('root/draft.json'))).toBe(false);

    // The finder of the laptop has carol's old key, and every public file.
    const forged = at('forged.bundle');
    const build = ['--kind', 'rules', '--after', at('linux-1.bundle'), '--root', at('root')];
    await ok('bundle', 'build', join(ROOT, 'rules'), ...build, '--out', forged);
    for (const key of ['carol/carol.key.pem', 'bob/bob.key.pem']) await ok('bundle', 'sign', forged, '--key', at(key));
    const apply = ['bundle', 'apply', forged, '--yes', '--data', at('enclave'), '--json'];
    const applied = await here(...apply);
    const { report } = JSON.parse(applied.stdout) as { report: Reported };
    expect([applied.code, report.checks.find(({ status }) => status === 'fail')?.code]).toEqual([
      3,
      'THRESHOLD_NOT_MET',
    ]);

    // Of the laptop's log, what was seen in time still counts; what the finder adds does not.
    expect(await codeOf('evidence', 'verify', before, '--data', at('enclave'))).toEqual([0, undefined]);
    await ok('bundle', 'apply', at('linux-1.bundle'), '--yes', '--data', at('laptop'));
    const after = await evidence('after-1');
    expect(await codeOf('evidence', 'verify', after, '--data', at('enclave'))).toEqual([3, 'KEY_REVOKED']);
  });

  it('carry a bundle in volumes, of which one is lost', { timeout: 240_000 }, () => {
    const { run } = begin();
    expect(run('volumes-split')).toMatch(/two\.001 +intact/);
    expect(run('volumes-apply')).toMatch(/rules\/linux +seq 1 active/);
  });

  it('go out and come back by a mailbox', { timeout: 240_000 }, () => {
    const { run } = begin();
    expect(run('mailbox-once')).toMatch(/active: rules\/linux seq 1/);
    const out = run('mailbox-out');
    expect(out).toMatch(/rules\/linux {2}seq 1 {2}not provably fresh/);
    expect(out).toContain('> daemoneye bundle receipt --out STICK/plant-7.receipt.json --data enclave');
    expect(run('mailbox-publisher')).toMatch(/left out that the host/);
    const back = run('mailbox-in');
    expect(back).toMatch(/rules\/linux seq 2: [0-9]+ of [0-9]+ pieces here/);
    expect(back).toContain('read: linux-2.001\n  still missing: linux-2.00');
    expect(back.match(/Nothing was changed/g)).toHaveLength(1);
    expect(back.match(/pieces here/g)).toHaveLength(1);
    expect(back).toMatch(/seq 2 active, before it seq 1[\s\S]*fresh as of/);
  });
});

import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { inside, jsonOf, type Ran } from '../support/cli.ts';
import { tempDirectory } from '../support/temp.ts';
import { draftRoot, finishRoot, ok, privateKey, publish, told } from '../support/workspace.ts';

type Check = { readonly name: string; readonly status: string; readonly code?: string };
type Applied = { readonly status: string; readonly report: { readonly checks: readonly Check[] } };

/** Data directory with version 1 pinned, and the publisher's workspace. */
async function begin(): Promise<{ folder: string; root: string; data: string }> {
  const folder = tempDirectory();
  const [root, data] = [join(folder, 'root'), join(folder, 'data')];
  await draftRoot(root);
  const fingerprint = await finishRoot(root, 'alice', 'bob');
  await ok('init', '--data', data);
  await ok('trust', 'pin', join(root, '1.root.dsse.json'), '--fingerprint', fingerprint, '--data', data);
  return { folder, root, data };
}

const apply = (bundle: string, data: string) => inside(['bundle', 'apply', bundle, '--yes', '--json', '--data', data]);
const pinnedVersion = async (data: string) =>
  (await told<{ version: number }>('trust', 'show', '--data', data)).version;

function refusedBy(ran: Ran): string | undefined {
  expect(ran.code, ran.stderr).toBe(3);
  const failed = (JSON.parse(ran.stdout) as Applied).report.checks.find(({ status }) => status === 'fail');
  return `${failed?.name} ${failed?.code}`;
}

describe('a key is lost', () => {
  it('its revocation travels in the next bundle, and from then on it counts for nothing', async () => {
    const { folder, root, data } = await begin();
    const first = await publish(folder, 'one', { root, signers: ['alice', 'bob'] });
    expect((await apply(first, data)).code).toBe(0);

    await ok('trust', 'init', root, '--expires', '730d');
    await ok('trust', 'revoke', root, '--key', 'bob');
    await finishRoot(root, 'alice', 'carol');

    const forged = await publish(folder, 'forged', { root, after: first, signers: ['alice', 'bob'] });
    expect(refusedBy(await apply(forged, data))).toBe('signatures THRESHOLD_NOT_MET');
    // Refused, but the newer root it carried is kept: whoever found bob's key has spent it.
    expect(await pinnedVersion(data)).toBe(2);

    const second = await publish(folder, 'two', { root, after: first, signers: ['alice', 'carol'] });
    expect((await apply(second, data)).code).toBe(0);
    expect(
      (await told<{ channels: { active: { seq: number } }[] }>('bundle', 'list', '--data', data)).channels,
    ).toEqual([expect.objectContaining({ active: expect.objectContaining({ seq: 2 }) })]);
    await ok('ledger', 'verify', '--data', data);
    expect(JSON.parse((await ok('ledger', 'prove', '2', '--data', data, '--json')).stdout).line).toContain(
      '"type":"trust.rotated"',
    );
  });

  it('says at once which active bundles it takes with it; these are shown as revoked, and not loaded', async () => {
    const { folder, root, data } = await begin();
    const first = await publish(folder, 'one', { root, signers: ['alice', 'bob'] });
    expect((await apply(first, data)).code).toBe(0);
    await ok('trust', 'init', root, '--expires', '730d');
    await ok('trust', 'revoke', root, '--key', 'bob');
    await finishRoot(root, 'alice', 'carol');
    const second = await publish(folder, 'two', { root, after: first, signers: ['alice'] });

    const ran = await inside(['bundle', 'apply', second, '--yes', '--data', data]);
    expect(ran.code).toBe(3);
    expect(ran.stdout).toMatch(
      /NO LONGER BELIEVED.*\n {2}rules\/\S+ seq 1: trust root 2 revokes the key of bob; .*\[KEY_REVOKED\]\n/,
    );
    expect(ran.stdout).toContain('nothing was deleted');
    const told = jsonOf<{ revoked: readonly object[] }>(await apply(second, data), 'bundle-apply');
    expect(told.revoked).toMatchObject([{ seq: 1, code: 'KEY_REVOKED' }]);

    const listed = await ok('bundle', 'list', '--data', data);
    expect(listed.stdout).toMatch(/seq 1 active \(REVOKED\), highest 1/);
    expect(listed.stdout).toContain('NO LONGER BELIEVED');
    const { channels } = jsonOf<{ channels: readonly object[] }>(
      await ok('bundle', 'list', '--data', data, '--json'),
      'bundle-list',
    );
    expect(channels).toMatchObject([{ active: { seq: 1, revoked: { code: 'KEY_REVOKED' } } }]);

    // Signed by enough of those who are left, it ends what was revoked.
    await ok('bundle', 'sign', second, '--key', privateKey('carol'));
    expect((await inside(['bundle', 'apply', second, '--yes', '--data', data])).stdout).not.toContain('BELIEVED');
    expect((await ok('bundle', 'list', '--data', data)).stdout).toMatch(/seq 2 active, before it seq 1 \(REVOKED\)/);
    expect(
      (await inside(['bundle', 'rollback', (channels[0] as { channel: string }).channel, '--yes', '--data', data]))
        .code,
    ).toBe(3);
  });

  it('a bundle from before the rotation, with the old chain only, is refused after it', async () => {
    const { folder, root, data } = await begin();
    const old = await publish(folder, 'old', { root, signers: ['alice', 'bob'] });
    await ok('trust', 'init', root, '--expires', '730d');
    await finishRoot(root, 'alice', 'bob');
    const rotated = await publish(folder, 'new', { root, signers: ['alice', 'bob'] });
    expect((await apply(rotated, data)).code).toBe(0);
    expect(refusedBy(await apply(old, data))).toBe('root-chain ROOT_ROLLBACK');
  });

  it('a bundle revoked by its payload is refused by a root that names it', async () => {
    const { folder, root, data } = await begin();
    const bad = await publish(folder, 'bad', { root, signers: ['alice', 'bob'] });
    const { payload } = await told<{ payload: string }>('bundle', 'inspect', bad);
    await ok('trust', 'init', root, '--expires', '730d');
    await ok('trust', 'revoke', root, '--payload', payload);
    await finishRoot(root, 'bob', 'carol');
    // Chains are not part of what is signed: whoever forwards the bundle may complete it.
    cpSync(join(root, '2.root.dsse.json'), join(bad, 'root/2.root.dsse.json'));
    expect(refusedBy(await apply(bad, data))).toBe('revocation PAYLOAD_REVOKED');
    expect(await pinnedVersion(data)).toBe(2);
  });

  it('a root of another publisher, made the same way, does not take over', async () => {
    const { folder, data } = await begin();
    const theirs = join(folder, 'theirs');
    await draftRoot(theirs);
    await ok('trust', 'revoke', theirs, '--payload', `sha256:${'1'.repeat(64)}`);
    await finishRoot(theirs, 'alice', 'bob');
    const bundle = await publish(folder, 'theirs.bundle', { root: theirs, signers: ['alice', 'bob'] });
    expect(refusedBy(await apply(bundle, data))).toBe('root-chain ROOT_PIN_MISMATCH');
  });
});

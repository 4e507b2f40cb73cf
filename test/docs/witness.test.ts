import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { verifyCheckpoint } from '../../src/core/checkpoint.ts';
import { parsePublicKey } from '../../src/core/keys.ts';
import { ensureBuilt } from '../support/cli.ts';
import { tempDirectory } from '../support/temp.ts';
import { finishRoot, ok, publicKey } from '../support/workspace.ts';
import { runBlock, shellBlock } from './shell-blocks.ts';

const PAGE = 'docs/operations.md';

beforeAll(ensureBuilt);

it('the procedures of a witness and of a new key in docs/operations.md do what they say', {
  timeout: 120_000,
}, async () => {
  const [folder, scratch] = [tempDirectory(), tempDirectory()];
  const root = join(folder, 'root');
  await ok('trust', 'init', root, '--expires', '365d', '--enclave', 'plant-7');
  await ok('trust', 'add-key', root, publicKey('alice'), '--operator', 'alice');
  await ok('trust', 'set-role', root, 'root', '--threshold', '1', '--key', 'alice');
  const fingerprint = await finishRoot(root, 'alice');
  const enclave = join(folder, 'enclave');
  await ok('init', '--data', enclave);
  await ok('trust', 'pin', join(root, '1.root.dsse.json'), '--fingerprint', fingerprint, '--data', enclave);

  const run = (block: string) => runBlock(shellBlock(PAGE, block), folder, scratch, {});
  expect(run('witness-watch')).toContain('watching daemoneye.invalid/');
  expect(run('witness-round')).toContain('known elsewhere, unchanged');
  expect(readdirSync(join(enclave, 'logs/install/checkpoints/cosigned'))).toHaveLength(1);
  expect(readFileSync(join(folder, '2.back.png')).subarray(1, 4).toString()).toBe('PNG');
  expect(run('rotate')).toMatch(/key [0-9a-f]{64} since entry [0-9]+\n/);
  const last = readFileSync(join(folder, 'last.checkpoint'));
  const [old, now] = ['old.pub.pem', 'enclave/keys/logs/install.pub.pem'].map((path) =>
    parsePublicKey(readFileSync(join(folder, path), 'utf8')),
  );
  if (old === undefined || now === undefined) throw new Error('both were read');
  expect(now.keyid).not.toBe(old.keyid);
  verifyCheckpoint(new Uint8Array(last), { key: old, hash: 'blake3' });
});

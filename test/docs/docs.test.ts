import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { parseRoot } from '../../src/verify/trust-root.ts';
import { daemoneye, ensureBuilt, hasTool, ROOT } from '../support/cli.ts';
import { tempDirectory } from '../support/temp.ts';
import { runBlock, shellBlock } from './shell-blocks.ts';

const SAMPLE = join(ROOT, 'bundles/samples/linux-baseline-1.bundle');
const KEY = join(ROOT, 'keys/example/TEST-ONLY-alice.pub.pem');
const hasOpenssl = hasTool('openssl') && hasTool('sha256sum');
const hasSidecarTools = ['minisign', 'ssh-keygen', 'signify-openbsd', 'openssl'].every(hasTool);
const hasB3sum = hasTool('b3sum');

beforeAll(ensureBuilt);

describe('the shell lines in the docs', () => {
  it.skipIf(!hasOpenssl)('verify a signature of a bundle with openssl alone, and the files with sha256sum', () => {
    const scratch = tempDirectory();
    const variables = { BUNDLE: SAMPLE, KEY };
    expect(runBlock(shellBlock('docs/formats.md', 'openssl'), scratch, scratch, variables)).toContain(
      'Signature Verified Successfully',
    );
    const checked = runBlock(shellBlock('docs/formats.md', 'index'), scratch, scratch, variables);
    expect(checked).toContain('index.jsonl: OK');
    expect(checked.match(/: OK$/gm)?.length).toBe(6);
  });

  it.skipIf(!hasOpenssl)('fail when the bundle was changed', () => {
    const scratch = tempDirectory();
    const BUNDLE = join(scratch, 'changed.bundle');
    cpSync(SAMPLE, BUNDLE, { recursive: true });
    const path = join(BUNDLE, 'bundle.dsse.json');
    const envelope = JSON.parse(readFileSync(path, 'utf8')) as { payload: string };
    const statement = Buffer.from(envelope.payload, 'base64').toString().replace('"seq":1', '"seq":2');
    writeFileSync(
      path,
      readFileSync(path, 'utf8').replace(envelope.payload, Buffer.from(statement).toString('base64')),
    );
    const block = shellBlock('docs/formats.md', 'openssl');
    expect(() => runBlock(block, scratch, scratch, { BUNDLE, KEY })).toThrow();
  });

  it.skipIf(!hasSidecarTools)(
    'check sidecars with four tools, each by itself (skipped without one of them)',
    async () => {
      const scratch = tempDirectory();
      const BUNDLE = join(scratch, 'b');
      cpSync(SAMPLE, BUNDLE, { recursive: true });
      const kinds = ['minisig', 'sshsig', 'signify', 'raw'].flatMap((kind) => ['--sidecar', kind]);
      const key = KEY.replace('.pub.pem', '.key.pem');
      const ran = await daemoneye(['bundle', 'sign', BUNDLE, '--key', key, ...kinds, '--json']);
      const { sidecars } = JSON.parse(ran.stdout) as { sidecars: string[] };
      const SIDECAR = (sidecars[1] ?? '').replace('.minisig', '');
      const variables = { BUNDLE, KEY, SIDECAR };
      const block = shellBlock('docs/formats.md', 'sidecars');
      const said = runBlock(block, scratch, scratch, variables);
      for (const yes of [
        'Signature and comment signature verified',
        'Good "file" signature',
        'Signature Verified\n',
        'Verified Successfully',
      ]) {
        expect(said).toContain(yes);
      }
      const path = `${BUNDLE}.statement.json`;
      writeFileSync(path, readFileSync(path, 'utf8').replace('"seq":1', '"seq":2'));
      for (const check of block.split('\n').filter((line) => line.includes('-V') || line.includes('erify'))) {
        expect(() => runBlock(check, scratch, scratch, variables), check).toThrow();
      }
    },
  );

  it.skipIf(!hasB3sum)('recompute a leaf of the ledger with b3sum', async () => {
    const scratch = tempDirectory();
    const data = join(scratch, 'data');
    const root = join(ROOT, 'bundles/samples/root/1.root.dsse.json');
    const { digest } = parseRoot(new Uint8Array(readFileSync(root)));
    for (const args of [
      ['init'],
      ['trust', 'pin', root, '--fingerprint', digest],
      ['bundle', 'apply', SAMPLE, '--yes'],
    ]) {
      const ran = await daemoneye([...args, '--data', data]);
      expect(ran.code, ran.stderr).toBe(0);
    }
    const LOG = join(data, 'logs/install');
    expect(runBlock(shellBlock('docs/formats.md', 'b3sum'), scratch, scratch, { LOG })).toMatch(
      /^the leaf of line 0 is [0-9a-f]{64}$/m,
    );
  });

  it('run the quick part of the README', () => {
    const TMP = tempDirectory();
    const root = readFileSync(join(ROOT, 'bundles/samples/root/1.root.dsse.json'));
    const FINGERPRINT = parseRoot(new Uint8Array(root)).digest;
    const variables = { TMP, FINGERPRINT, DAEMONEYE_DATA: join(TMP, 'data') };
    const output = runBlock(shellBlock('README.md', 'quick'), ROOT, TMP, variables);
    expect(output).toContain('trusted');
    expect(output).toContain('active: rules/linux-baseline seq 1');
  });
});

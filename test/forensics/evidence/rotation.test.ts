import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { Digest } from '../../../src/core/digest.ts';
import { readEpochs } from '../../../src/ledger/epochs-io.ts';
import { readGenesis } from '../../../src/ledger/open-io.ts';
import { rotateLedger } from '../../../src/ledger/rotate-io.ts';
import { systemSurroundings } from '../../../src/ledger/surroundings-io.ts';
import { parseRoot } from '../../../src/verify/trust-root.ts';
import { testKey } from '../../support/keys.ts';
import { tempDirectory } from '../../support/temp.ts';
import { rootDocument, rootFile } from '../../support/trust.ts';
import { editJson, filesOf, judgeFiles, reseal } from './forge.ts';
import { ENCLAVE, expectRefused, expectTrusted, exportOf, judge, rootWith, trustOf, writeHost } from './sample.ts';

it('a package of logs whose key was changed leads from the enrolled key to the one that signed', async () => {
  const data = tempDirectory();
  const host = await writeHost(data);
  const [old, next] = [testKey('host-1 log'), testKey('host-1 log, second')];
  const heads: { origin: string; size: number; root: Digest }[] = [];
  for (const { directory } of [host.procmond, host.agent, host.install]) {
    const issuedAt = '2026-02-01T00:00:00.000Z';
    const { epoch } = await rotateLedger({ directory, key: old, newKey: next, issuedAt, ...systemSurroundings() });
    heads.push({
      origin: readGenesis(directory).origin,
      size: epoch.last?.size ?? 0,
      root: epoch.last?.root ?? ('' as Digest),
    });
    expect(readEpochs(directory, readGenesis(directory)).epochs).toHaveLength(2);
  }
  const out = join(data, 'plant-7-1.evidence.tar');
  await exportOf([host], out, { key: testKey('clerk-a') });
  expectTrusted(await judge(out));

  // Whoever has the newest key only must not put other lines in place of those before it.
  const files = await filesOf(out);
  type Links = { hosts: { logs: { rotations?: string[]; links?: string[][] }[] }[] };
  const relinked = (change: (links: string[][]) => string[][]) =>
    editJson(files, 'data/package.json', (json: Links) => {
      for (const log of json.hosts.flatMap(({ logs }) => logs)) log.links = change(log.links ?? []);
    });
  for (const change of [
    () => [[]],
    (links: string[][]) => links.map((link) => link.map(() => `${'A'.repeat(43)}=`)),
    (links: string[][]) => links.map((link) => link.slice(1)),
  ]) {
    const report = await judgeFiles(reseal(relinked(change), ['clerk-a']), trustOf());
    expect(report.verdict).toBe('refused');
    const { name, code } = report.checks.find(({ status }) => status === 'fail') ?? {};
    expect([name, ['EPOCH_UNLINKED', 'PROOF_MALFORMED'].includes(code ?? '')]).toEqual(['checkpoints', true]);
  }

  // The old key was given up because it was stolen: what it passed on counts from the very heads that are known.
  const revoking = (validThrough: typeof heads) => {
    const document = rootDocument({ roles: ENCLAVE });
    const keys = [{ keyid: old.publicKey.keyid, validThrough }];
    return trustOf({
      root: parseRoot(rootFile({ ...document, revoked: { ...document.revoked, keys } }).bytes),
    });
  };
  expectTrusted(await judge(out, revoking(heads)));
  expectRefused(await judge(out, revoking([])), 'checkpoints', 'KEY_REVOKED');
  const others = heads.map((head) => ({ ...head, size: head.size - 1 }));
  expectRefused(await judge(out, revoking(others)), 'checkpoints', 'KEY_REVOKED');
  const isNewRevoked = rootWith({ revoked: ['host-1 log, second'], keys: { 'host-1 log, second': {} } });
  expectRefused(await judge(out, trustOf({ root: isNewRevoked })), 'checkpoints', 'KEY_REVOKED');
});

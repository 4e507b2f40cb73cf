import { join } from 'node:path';
import { expect, it } from 'vitest';
import { decodeUtf8, utf8 } from '../../../src/core/bytes.ts';
import type { Digest } from '../../../src/core/digest.ts';
import { signEnvelope } from '../../../src/core/dsse.ts';
import { embedEnvelope, parseEmbeddedEnvelope } from '../../../src/core/embedded-envelope.ts';
import type { EmbeddedEnvelope } from '../../../src/core/event-data.ts';
import type { JsonObject } from '../../../src/core/strict-json.ts';
import { PACKAGE_NAME } from '../../../src/forensics/evidence/format.ts';
import { readEpochs } from '../../../src/ledger/epochs-io.ts';
import { encodeLine, parseLine } from '../../../src/ledger/line.ts';
import { readGenesis } from '../../../src/ledger/open-io.ts';
import { rotateLedger } from '../../../src/ledger/rotate-io.ts';
import { systemSurroundings } from '../../../src/ledger/surroundings-io.ts';
import { openLedgerWriter } from '../../../src/ledger/writer-io.ts';
import { parseRoot } from '../../../src/verify/trust-root.ts';
import { testKey } from '../../support/keys.ts';
import { tempDirectory } from '../../support/temp.ts';
import { rootDocument, rootFile } from '../../support/trust.ts';
import { editJson, filesOf, judgeFiles, reseal } from './forge.ts';
import {
  ENCLAVE,
  expectRefused,
  expectTrusted,
  exportOf,
  type HostLogs,
  judge,
  rootWith,
  trustOf,
  writeHost,
} from './sample.ts';

const OLD = 'host-1 log';
const NEW = 'host-1 log, second';

/** All logs of a host get the new key. */
async function rotateAll({ procmond, agent, install }: HostLogs): Promise<void> {
  for (const { directory } of [procmond, agent, install]) {
    const issuedAt = '2026-02-01T00:00:00.000Z';
    await rotateLedger({ directory, key: testKey(OLD), newKey: testKey(NEW), issuedAt, ...systemSurroundings() });
  }
}

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

it('is sealed by the key that a log in it has now, and not by one that gave way', async () => {
  const data = tempDirectory();
  const host = await writeHost(data);
  await rotateAll(host);
  const by = async (name: string) => {
    const out = join(data, `plant-7-1.${name}.tar`);
    await exportOf([host], out, { key: testKey(name) });
    return out;
  };
  const sealed = await by(NEW);
  const report = await judge(sealed);
  expectTrusted(report);
  expect(report.signers).toEqual([{ keyid: testKey(NEW).publicKey.keyid, role: 'log' }]);
  expectRefused(await judge(await by(OLD)), 'signatures', 'ROLE_NOT_HELD');
  expectRefused(await judge(await by('eve')), 'signatures', 'SIGNER_UNKNOWN');
  const isNewRevoked = rootWith({ revoked: [NEW], keys: { [NEW]: {} } });
  expectRefused(await judge(sealed, trustOf({ root: isNewRevoked })), 'signatures', 'KEY_REVOKED');

  // Nothing unsigned leads from the one to the other: without the rotations, or with one that the old key did not sign.
  const files = await filesOf(sealed);
  expectTrusted(judgeFiles(files, trustOf()));
  type Packaged = { hosts: { logs: { rotations?: string[]; links?: string[][] }[] }[] };
  const changed = (change: (rotations: readonly string[]) => string[] | undefined) => {
    const edited = editJson(files, PACKAGE_NAME, (json: Packaged) => {
      for (const log of json.hosts.flatMap(({ logs }) => logs)) {
        const { rotations = [] } = log;
        const next = change(rotations);
        if (next !== undefined) log.rotations = next;
        else for (const name of ['rotations', 'links'] as const) delete log[name];
      }
    });
    return judgeFiles(reseal(edited, [NEW]), trustOf());
  };
  expectTrusted(changed((rotations) => [...rotations]));
  expectRefused(
    changed(() => undefined),
    'signatures',
    'SIGNER_UNKNOWN',
  );
  const unsignedByOld = (text: string) => {
    const line = parseLine(utf8(text));
    const envelope = parseEmbeddedEnvelope(line.data['document'] as unknown as EmbeddedEnvelope);
    const document = embedEnvelope(signEnvelope({ ...envelope, signatures: [] }, testKey(NEW)));
    return decodeUtf8(encodeLine({ ...line, data: { ...line.data, document: document as unknown as JsonObject } }));
  };
  expectRefused(
    changed((rotations) => rotations.map(unsignedByOld)),
    'signatures',
    'SIGNER_UNKNOWN',
  );
});

it('holds no line that a key signed before its epoch, nor one after it', async () => {
  const early = tempDirectory();
  // What the newer key's holder could put there: lines of the old epoch, signed anew.
  const rewritten = await writeHost(early, 'host-1', { signAs: NEW });
  await rotateAll(rewritten);
  const out = join(early, 'plant-7-1.evidence.tar');
  await exportOf([rewritten], out, { key: testKey(NEW) });
  expectRefused(await judge(out), 'line-signatures', 'EPOCH_MISMATCH');

  const late = tempDirectory();
  const host = await writeHost(late);
  await rotateAll(host);
  // Who stole the old key and got its line into the log, through whatever writes it.
  const { directory } = host.procmond;
  const writer = await openLedgerWriter({ directory, key: testKey(NEW), ...systemSurroundings() });
  const { seq } = await writer.append({
    type: 'collector.stop',
    actor: { type: 'process', id: 'thief' },
    data: { collector_name: 'procmond', cause: 'command' },
    signer: testKey(OLD),
  });
  await writer.close();
  const after = join(late, 'plant-7-1.evidence.tar');
  const what = { ranges: [{ log: 'procmond', from: 0, to: seq + 1 }] };
  await exportOf([host], after, { key: testKey(NEW), what });
  expectRefused(await judge(after), 'line-signatures', 'EPOCH_MISMATCH');
});

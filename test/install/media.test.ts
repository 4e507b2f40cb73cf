import { dirname } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Medium } from '../../src/bundle/medium.ts';
import { validateEvent } from '../../src/core/event.ts';
import { applyBundle } from '../../src/install/apply-io.ts';
import { readInstall } from '../../src/install/install-io.ts';
import { overviewOf } from '../../src/install/overview-io.ts';
import { issueReceipt } from '../../src/install/receipt-io.ts';
import { rollBack } from '../../src/install/rollback-io.ts';
import { loadPinnedRoot } from '../../src/install/root-store-io.ts';
import { type Line, parseLine } from '../../src/ledger/line.ts';
import { openLedgerReader } from '../../src/ledger/reader-io.ts';
import { anyContent, BUILT_AT, makeBundle, makeEnclave, open } from '../support/enclave.ts';

const STICK: Medium = { mountPoint: '/media/usb', fileSystem: 'vfat', device: 'sdb1', serial: '4C53', label: 'PLANT' };
const DISC: Medium = { mountPoint: '/media/cd', fileSystem: 'iso9660' };
const OPTIONS = { toolVersion: '0.1.0', content: anyContent, confirm: async () => true, reason: 'a test' };

async function apply(data: string, path: string, media: readonly Medium[] = []): Promise<string> {
  await using install = await open(data);
  return (await applyBundle(install, path, 'bundle', { ...OPTIONS, media: () => media })).status;
}

async function logged(data: string): Promise<Line[]> {
  const { layout } = await readInstall(data, BUILT_AT);
  using reader = await openLedgerReader(layout.installLog);
  const lines: Line[] = [];
  for await (const bytes of reader.lines()) lines.push(parseLine(bytes));
  return lines;
}

async function activeMedia(data: string): Promise<readonly (readonly Medium[] | undefined)[]> {
  const { layout, state } = await readInstall(data, BUILT_AT);
  return overviewOf(layout, state, loadPinnedRoot(layout, state)).channels.map(({ active }) => active.media);
}

describe('what the log says of how a bundle came', () => {
  it('is every medium in its order, of what was applied and of what was refused, and nothing where there was none', async () => {
    const data = await makeEnclave();
    const one = await makeBundle(dirname(data));
    const two = await makeBundle(dirname(data), { seq: 2, prev: one.payload });
    const unsigned = await makeBundle(dirname(data), { seq: 3, prev: two.payload, signers: ['a'] });
    expect(await apply(data, one.path)).toBe('applied');
    expect(await apply(data, two.path, [DISC, STICK])).toBe('applied');
    expect(await apply(data, unsigned.path, [STICK])).toBe('refused');
    {
      await using install = await open(data);
      await issueReceipt(install, [STICK]);
      await issueReceipt(install);
    }
    const stick = { mount_point: '/media/usb', file_system: 'vfat', device: 'sdb1', serial: '4C53', label: 'PLANT' };
    const disc = { mount_point: '/media/cd', file_system: 'iso9660', serial: null };
    const lines = (await logged(data)).filter(({ type }) => /^(?:bundle|receipt)\./.test(type));
    for (const { type, data: said } of lines) validateEvent(type, said);
    expect(lines.map(({ type, data: said }) => [type, (said as { media?: unknown }).media])).toEqual([
      ['bundle.applied', undefined],
      ['bundle.applied', [disc, stick]],
      ['bundle.refused', [stick]],
      ['receipt.issued', [stick]],
      ['receipt.issued', undefined],
    ]);
    expect(await activeMedia(data)).toEqual([[DISC, STICK]]);
  });

  it('goes with the bundle, also one step back', async () => {
    const data = await makeEnclave();
    const one = await makeBundle(dirname(data));
    const two = await makeBundle(dirname(data), { seq: 2, prev: one.payload });
    expect(await apply(data, one.path, [STICK])).toBe('applied');
    expect(await apply(data, two.path, [DISC])).toBe('applied');
    {
      await using install = await open(data);
      expect((await rollBack(install, 'rules/test', OPTIONS)).status).toBe('rolled-back');
    }
    expect(await activeMedia(data)).toEqual([[STICK]]);
  });

  it('is nothing when nothing was changed', async () => {
    const data = await makeEnclave();
    const { path } = await makeBundle(dirname(data));
    await using install = await open(data);
    const options = { ...OPTIONS, media: () => [STICK], dryRun: true };
    expect((await applyBundle(install, path, 'bundle', options)).status).toBe('dry-run');
    expect((await logged(data)).filter(({ data: said }) => Object.hasOwn(said as object, 'media'))).toEqual([]);
  });
});

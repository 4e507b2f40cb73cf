import { describe, expect, it } from 'vitest';
import { utf8 } from '../../../src/core/bytes.ts';
import { expectRefused, judge, makeBundle } from '../../support/trust.ts';

const bundle = makeBundle();

describe('the files of a bundle', () => {
  const names = [...bundle.blobs.keys()];
  const without = (dropped: readonly string[]) =>
    new Map([...bundle.blobs].filter(([name]) => !dropped.includes(name)));

  it.each([[names.slice(0, 1)], [names.slice(1)], [names]])('are refused when some are missing', (dropped) => {
    expectRefused(judge({ ...bundle, blobs: without(dropped) }), 'blobs', 'BLOB_MISSING');
  });

  it('are refused when one was changed', () => {
    const [name = ''] = names;
    const blobs = new Map([...bundle.blobs, [name, utf8('title: evil\n')]]);
    expectRefused(judge({ ...bundle, blobs }), 'blobs', 'BLOB_MISMATCH');
  });

  it('are named by path', () => {
    const { reason } =
      judge({ ...bundle, blobs: without(names) })
        .report('x')
        .checks.find(({ name }) => name === 'blobs') ?? {};
    expect(reason).toBe('linux/exec.yaml and 1 more are missing');
  });

  it('are refused in a bundle of kind rules when one carries an attestation', () => {
    const attestations = [{ type: 'minisign', material: 'linux/net.yaml', key: `RW${'A'.repeat(54)}` } as const];
    const attested = makeBundle({
      entries: (entries) =>
        entries.map((entry) => (entry.path === 'linux/exec.yaml' ? { ...entry, attestations } : entry)),
    });
    expectRefused(judge(attested), 'attestations', 'ATTESTATION_KIND');
  });
});

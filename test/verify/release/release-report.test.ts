import { expect, it } from 'vitest';
import { utf8 } from '../../../src/core/bytes.ts';
import { messageOfBytes } from '../../../src/verify/release/message.ts';
import { ReleaseVerification } from '../../../src/verify/release/release-report.ts';

const MESSAGE = messageOfBytes('tool.tar', utf8('x'));

it('a method that passes without a signer is no yes', () => {
  for (const checks of [[], [{ name: 'any', status: 'pass', reason: 'fine' } as const]]) {
    const method = { name: 'any', needs: [], verify: () => ({ checks, signers: [] }) };
    const verification = new ReleaseVerification([method]);
    verification.artifact(MESSAGE);
    const report = verification.report(MESSAGE, '2026-11-22T00:00:00.000Z');
    expect([report.verdict, report.checks.at(-1)?.code]).toEqual(['refused', 'SIGNATURE_MISSING']);
  }
});

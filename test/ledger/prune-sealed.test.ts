import { appendFileSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { describe, expect, it } from 'vitest';
import type { Digest } from '../../src/core/digest.ts';
import { pruneLedger } from '../../src/ledger/prune-io.ts';
import { systemRandom } from '../../src/ledger/surroundings-io.ts';
import { pruneSealed } from '../../src/seal/prune-io.ts';
import { findSealed } from '../../src/seal/reader-io.ts';
import { openSealer } from '../../src/seal/writer-io.ts';
import { expectCode, expectCodeAsync } from '../support/expect-code.ts';
import { expectTrusted, fakeSurroundings, logKey } from './ledger-support.ts';
import { keptValues, pruneApproval, sealedValuesLog } from './prune-support.ts';

async function prune({ directory, sealed }: { directory: string; sealed: string }, to: number) {
  return await pruneLedger({
    directory,
    key: logKey,
    ...fakeSurroundings(),
    approval: await pruneApproval(directory, to),
    minimumAge: 0,
    dropSealed: (before, dropped) => pruneSealed(sealed, before, dropped),
  });
}

describe('sealed values of lines that are dropped', () => {
  it.for([[[0, 3, 6, 9]], [[0]], [[0, 8]], [[0, 4, 8]], [[0, 1, 2, 3, 7]]])(
    'go with them, and no others, where files of values begin at %j',
    async ([starts = []]) => {
      const log = await sealedValuesLog(starts);
      await prune(log, 8);
      expect(keptValues(log.sealed, log.commits)).toEqual([8, 9, 10, 11]);
      await expectTrusted(log.directory);
      // Nothing of them is in any file.
      const text = readdirSync(log.sealed).map((name) => readFileSync(join(log.sealed, name), 'latin1'));
      for (const commit of log.commits.slice(0, 8)) expect(text.join('')).not.toContain(commit);
    },
  );

  it('leave no empty file behind', async () => {
    const log = await sealedValuesLog([0, 4, 8]);
    const before = readdirSync(log.sealed).sort();
    await prune(log, 8);
    expect(readdirSync(log.sealed)).toEqual(before.slice(2));
  });

  it('do not take a value along whose line was never written, or that was written after a line not yet durable', async () => {
    const log = await sealedValuesLog([0, 8]);
    const recipients = [await identityToRecipient(await generateX25519Identity())];
    await using sealer = await openSealer({ directory: log.sealed, recipients, random: systemRandom, mono: () => 0 });
    const orphan = sealer.seal('env', Buffer.from('A=1\0'));
    await sealer.flush(4);
    await prune(log, 8);
    expect(findSealed(log.sealed, orphan).record.key).toBeDefined();
    expect(keptValues(log.sealed, log.commits)).toEqual([8, 9, 10, 11]);
  });

  it('stop the prune while a file of values does not read: the lines that say which are theirs stay', async () => {
    const log = await sealedValuesLog([0, 4, 8]);
    const [first = ''] = readdirSync(log.sealed).sort();
    const path = join(log.sealed, first);
    const whole = readFileSync(path);
    writeFileSync(path, `{"v":2}\n${whole.toString('latin1')}`);
    await expectCodeAsync(prune(log, 8), 'SEALED_MALFORMED');
    expect(existsSync(join(log.directory, 'entries/000000000000.ndjson'))).toBe(true);
    await expectTrusted(log.directory);
    // What a crash leaves of a last line is no such damage.
    writeFileSync(path, whole);
    appendFileSync(path, '{"batch":"');
    await prune(log, 8);
    expect(keptValues(log.sealed, log.commits)).toEqual([8, 9, 10, 11]);
    expectCode(() => findSealed(log.sealed, log.commits[0] as Digest), 'SEALED_NOT_FOUND');
  });
});

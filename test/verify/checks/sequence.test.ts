import { describe, expect, it } from 'vitest';
import type { BundleStatement } from '../../../src/bundle/statement.ts';
import type { Digest } from '../../../src/core/digest.ts';
import { type ChannelMemory, checkSequence, GAP_CAP } from '../../../src/verify/checks/sequence.ts';
import { expectRefused, expectTrusted, judge, makeBundle, trustOf } from '../../support/trust.ts';

const MINE: Digest = `sha256:${'11'.repeat(32)}`;
const OTHER: Digest = `sha256:${'22'.repeat(32)}`;

/** A bundle at `seq` after `prev`, at an enclave that remembers `memory` of the channel. */
function at(seq: number, prev: Digest | null, memory: ChannelMemory | undefined, acceptGap = false) {
  const trust = trustOf({
    acceptGap,
    channelMemory: (channel) => (channel === 'rules/linux' ? memory : { highestSeq: 999, payload: OTHER }),
  });
  return judge(makeBundle({ statement: { seq, prev } }), trust);
}

const knows = (highestSeq: number, payload: Digest = MINE): ChannelMemory => ({ highestSeq, payload });

describe('a bundle in its channel', () => {
  it('may be any when nothing is known of the channel', () => {
    expectTrusted(at(1, null, undefined));
    expectTrusted(at(5000, OTHER, undefined));
  });

  it('follows the newest that was accepted', () => expectTrusted(at(6, MINE, knows(5))));

  it('may be the newest that was accepted, again', () => {
    const bundle = makeBundle({ statement: { seq: 5, prev: OTHER } });
    expectTrusted(judge(bundle, trustOf({ channelMemory: () => knows(5, bundle.payload) })));
  });

  it('that follows another history is a fork', () => {
    expectRefused(at(6, OTHER, knows(5)), 'sequence', 'SEQUENCE_FORK');
  });

  it('that takes the place of the newest is a fork', () => {
    expectRefused(at(5, OTHER, knows(5)), 'sequence', 'SEQUENCE_FORK');
    expectRefused(at(5, MINE, knows(5)), 'sequence', 'SEQUENCE_FORK');
    expectRefused(at(1, null, knows(1)), 'sequence', 'SEQUENCE_FORK');
  });

  it('that is older is a replay', () => {
    expectRefused(at(4, OTHER, knows(5)), 'sequence', 'SEQUENCE_REPLAY');
    expectRefused(at(1, null, knows(5)), 'sequence', 'SEQUENCE_REPLAY');
    expectRefused(at(4, MINE, knows(5), true), 'sequence', 'SEQUENCE_REPLAY');
  });

  it('may skip as many as the cap allows, whatever it says it follows', () => {
    expectTrusted(at(5 + 1 + GAP_CAP, OTHER, knows(5)));
    expectTrusted(at(7, MINE, knows(5)));
  });

  it('may skip more only when a person says so', () => {
    const far = 5 + 1 + GAP_CAP + 1;
    expectRefused(at(far, OTHER, knows(5)), 'sequence', 'SEQUENCE_GAP');
    expectTrusted(at(far, OTHER, knows(5), true));
    expectRefused(at(Number.MAX_SAFE_INTEGER, OTHER, knows(5)), 'sequence', 'SEQUENCE_GAP');
    expectTrusted(at(Number.MAX_SAFE_INTEGER, OTHER, knows(5), true));
  });

  it('that is a fork stays one when gaps are accepted', () => {
    expectRefused(at(6, OTHER, knows(5), true), 'sequence', 'SEQUENCE_FORK');
    expectRefused(at(5, OTHER, knows(5), true), 'sequence', 'SEQUENCE_FORK');
  });

  it('at the end of all numbers is still told from a fork', () => {
    const top = Number.MAX_SAFE_INTEGER;
    expectRefused(at(top, OTHER, knows(top)), 'sequence', 'SEQUENCE_FORK');
    expectTrusted(at(top, MINE, knows(top - 1)));
  });
});

describe('a bundle that may come back', () => {
  const old = makeBundle({ statement: { seq: 3, prev: OTHER } });
  const back = (payload: Digest) => ({ ...knows(5), readmitted: { payload, why: 'because' } });
  it('is no replay, and it alone', () => {
    expectTrusted(judge(old, trustOf({ channelMemory: () => back(old.payload) })));
    expectRefused(judge(old, trustOf({ channelMemory: () => back(MINE) })), 'sequence', 'SEQUENCE_REPLAY');
  });

  it('does not open the way for a fork', () => {
    const fork = makeBundle({ statement: { seq: 5, prev: OTHER } });
    expectRefused(judge(fork, trustOf({ channelMemory: () => back(old.payload) })), 'sequence', 'SEQUENCE_FORK');
  });
});

describe('what a sequence says', () => {
  const statement = (seq: number) => ({ seq, prev: MINE, channel: 'rules/linux' }) as BundleStatement;
  it.each([
    [undefined, 3, 'seq 3; nothing is known of rules/linux here yet'],
    [knows(2), 3, 'seq 3 follows 2'],
    [knows(2), 5, 'seq 5 skips 2 after 2'],
    [knows(3, OTHER), 3, 'seq 3 is the newest accepted here, the same bundle'],
  ])('%j, seq %i: %s', (memory, seq, reason) => {
    expect(checkSequence(statement(seq), OTHER, memory, false)).toBe(reason);
  });
});

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TAR_BLOCK, TAR_END_BYTES } from '../../src/archive/tar-header.ts';
import { BUNDLE_PAYLOAD_TYPE, ROOT_PAYLOAD_TYPE } from '../../src/bundle/format.ts';
import { TarBundle } from '../../src/bundle/read-tar-io.ts';
import { concatBytes, equalBytes, utf8 } from '../../src/core/bytes.ts';
import { parseEnvelope } from '../../src/core/dsse.ts';
import { createStaging, type Staging } from '../../src/install/staging-io.ts';
import { judgeContainer } from '../../src/install/verify-io.ts';
import { BUNDLE_CHECKS } from '../../src/verify/bundle-verification.ts';
import { AT, end, forgeHeader } from '../archive/tar-bytes.ts';
import { lightBundle, lightTrust, membersOfBundle } from '../bundle/hostile.ts';
import { type Member, memberBytes, membersOf, tarOf } from '../bundle/tar-members.ts';
import { runs } from '../support/slow.ts';

/** A valid bundle in a tar, and everything that can be done to the tar: read, staged and checked by the real reader. */

const bundle = lightBundle({
  files: { 'linux/exec.yaml': 'title: exec\n', 'linux/net.yaml': 'x'.repeat(600), empty: '' },
});
const members = membersOfBundle(bundle);
const original = tarOf(members);
/** With `SLOW=1` these take minutes. */
const timeout = runs(60_000, 3_600_000);

const shelf = mkdtempSync(join(tmpdir(), 'daemoneye-test-'));
let staging: Staging;
beforeAll(() => {
  staging = createStaging(shelf, false);
});
afterAll(() => rmSync(shelf, { recursive: true, force: true }));

/** Judges a tar in memory. Nothing but a report may come of it, and the report is whole. */
async function judgeTar(tar: Uint8Array) {
  const source = {
    async *chunks() {
      yield tar;
    },
    close: async () => undefined,
  };
  const content = async () => ({ ok: true, reason: 'fine' });
  const open = async () => new TarBundle(source);
  const judged = await judgeContainer(open, 'x', lightTrust, staging, content);
  const { checks, verdict } = judged.report;
  expect(checks.map(({ name }) => name)).toEqual(BUNDLE_CHECKS);
  const failures = checks.filter(({ status }) => status === 'fail');
  expect(failures.length).toBe(verdict === 'trusted' ? 0 : 1);
  expect(failures.every(({ code, reason }) => code !== undefined && reason.length > 0)).toBe(true);
  return judged;
}

/**
 * Refused; or, when all that differs is white space or further signatures in the envelopes, trusted as the very bundle
 * it was: the same payloads, the same signatures that counted, the same index, the same files.
 */
async function expectRefusedOrSame(tar: Uint8Array): Promise<'refused' | 'same'> {
  const { report, verification, staged } = await judgeTar(tar);
  if (report.verdict === 'refused') return 'refused';
  expect(verification.payload).toBe(bundle.payload);
  expect(staged?.index).toEqual(bundle.index);
  expect(report.signers.length).toBe(1);
  const now = await membersOf(tar);
  expect(now.map(([name]) => name)).toEqual(members.map(([name]) => name));
  for (const [i, [name, bytes]] of now.entries()) {
    const before = members[i]?.[1] ?? new Uint8Array();
    const isEnvelope = name.endsWith('.dsse.json');
    const type = name === 'bundle.dsse.json' ? BUNDLE_PAYLOAD_TYPE : ROOT_PAYLOAD_TYPE;
    const [was, is] = isEnvelope ? [before, bytes].map((one) => parseEnvelope(one, type).payload) : [before, bytes];
    expect(equalBytes(was ?? before, is ?? bytes)).toBe(true);
  }
  return 'same';
}

const bytes = fc.uint8Array({ maxLength: 40 });
const nat = fc.nat();

/** How a tar changes as bytes. */
const onBytes = fc.oneof(
  // One byte flipped, or a few.
  fc
    .array(fc.tuple(nat, fc.integer({ min: 1, max: 255 })), { minLength: 1, maxLength: 3 })
    .map((flips) => (tar: Uint8Array) => {
      const changed = new Uint8Array(tar);
      for (const [at, by] of flips) changed[at % tar.length] = (changed[at % tar.length] ?? 0) ^ by;
      return changed;
    }),
  // Cut off, cut out, put in, at any byte and at blocks.
  fc.tuple(nat, fc.boolean()).map(
    ([at, block]) =>
      (tar: Uint8Array) =>
        tar.slice(0, place(tar, at, block)),
  ),
  fc.tuple(nat, fc.nat(1200), fc.boolean()).map(([at, length, block]) => (tar: Uint8Array) => {
    const from = place(tar, at, block);
    const to = Math.min(tar.length, from + (block ? Math.ceil(length / TAR_BLOCK) * TAR_BLOCK : length));
    return concatBytes(tar.slice(0, from), tar.slice(to));
  }),
  fc
    .tuple(nat, fc.boolean(), fc.oneof(bytes, fc.constantFrom(end(1), end(2), memberBytes(['index.jsonl', utf8('x')]))))
    .map(([at, block, put]) => (tar: Uint8Array) => {
      const from = place(tar, at, block);
      return concatBytes(tar.slice(0, from), put, tar.slice(from));
    }),
  // A block exchanged with another, or said twice.
  fc.tuple(nat, nat, fc.boolean()).map(([a, b, keep]) => (tar: Uint8Array) => {
    const changed = new Uint8Array(tar);
    const [from, to] = [place(tar, a, true), place(tar, b, true)];
    changed.set(tar.slice(from, from + TAR_BLOCK), Math.min(to, tar.length - TAR_BLOCK));
    if (!keep) changed.set(tar.slice(to, to + TAR_BLOCK), Math.min(from, tar.length - TAR_BLOCK));
    return changed;
  }),
);

function place(tar: Uint8Array, at: number, block: boolean): number {
  return block ? (at % (tar.length / TAR_BLOCK)) * TAR_BLOCK : at % tar.length;
}

type Change = (parts: readonly Uint8Array[]) => Uint8Array[];

const NAMES = [
  ...members.map(([name]) => name),
  ...['2.root.dsse.json', '256.root.dsse.json'].map((name) => `root/${name}`),
  ...['BUNDLE.DSSE.JSON', 'x', 'blobs/sha256', '../x', '/x', 'nul', `blobs/sha256/${'0'.repeat(64)}`],
];

/** How a tar changes as a list of entries, each a whole header and body; checksums are always right. */
const onEntries: fc.Arbitrary<Change> = fc.oneof(
  nat.map(
    (at): Change =>
      (parts) =>
        parts.filter((_, i) => i !== at % parts.length),
  ),
  fc.tuple(nat, nat).map(
    ([at, to]): Change =>
      (parts) =>
        parts.toSpliced(to % (parts.length + 1), 0, part(parts, at)),
  ),
  fc.tuple(nat, nat).map(
    ([at, to]): Change =>
      (parts) => {
        const [a, b] = [at % parts.length, to % parts.length];
        return parts.with(a, part(parts, b)).with(b, part(parts, a));
      },
  ),
  // One entry more, or another in its place, of a name that means something or none.
  fc
    .tuple(
      nat,
      fc.constantFrom(...NAMES),
      fc.oneof(bytes, fc.constantFrom(...members.map(([, body]) => body))),
      fc.nat(1),
    )
    .map(
      ([at, name, body, over]): Change =>
        (parts) =>
          parts.toSpliced(at % (parts.length + 1), over, forged(name, body)),
    ),
  // Header fields set to anything.
  fc.tuple(nat, fc.constantFrom(...Object.values(AT)), fc.oneof(bytes, fc.constantFrom(...FIELDS()))).map(
    ([at, field, put]): Change =>
      (parts) => {
        const entry = new Uint8Array(part(parts, at));
        entry.set(put.slice(0, TAR_BLOCK - field), field);
        return parts.with(at % parts.length, rechecked(entry));
      },
  ),
  // A body cut short or made longer, its header telling the truth about it.
  fc.tuple(nat, fc.nat(700), bytes).map(
    ([at, keep, more]): Change =>
      (parts) => {
        const [name, body] = members[at % members.length] as Member;
        return parts.with(at % parts.length, forged(name, concatBytes(body.slice(0, keep), more)));
      },
  ),
);

function FIELDS(): Uint8Array[] {
  return ['0', '1', '2', '5', 'x', 'g', 'L', 'S', '\0', '0000001 \0', '00000000001\0', '0000644\0', 'root\0'].map(utf8);
}

function part(parts: readonly Uint8Array[], at: number): Uint8Array {
  return parts[at % parts.length] ?? new Uint8Array();
}

function forged(name: string, body: Uint8Array): Uint8Array {
  const header = forgeHeader('x', body.length, [AT.name, '\0'.repeat(100)], [AT.name, name]);
  return concatBytes(header, body, new Uint8Array((TAR_BLOCK - (body.length % TAR_BLOCK)) % TAR_BLOCK));
}

/** The checksum of the first block put right. */
function rechecked(entry: Uint8Array): Uint8Array {
  entry.set(utf8('        '), AT.chksum);
  const sum = entry.subarray(0, TAR_BLOCK).reduce((total, byte) => total + byte, 0);
  entry.set(utf8(`${sum.toString(8).padStart(6, '0')} \0`), AT.chksum);
  return entry;
}

describe('a tar that was tampered with on the way', () => {
  const seen = { refused: 0, same: 0 };

  it('is trusted as long as it was not', async () => {
    expect(await expectRefusedOrSame(original)).toBe('same');
  });

  it('is refused with any of its bytes changed, cut out, put in or exchanged', { timeout }, async () => {
    await fc.assert(
      fc.asyncProperty(onBytes, async (change) => {
        const tar = change(original);
        const outcome = await expectRefusedOrSame(tar);
        // Headers, padding, index, blobs and the end have one spelling; only inside an envelope may a byte not matter.
        if (outcome === 'same' && !equalBytes(tar, original)) expect(firstDifference(tar)).toBeLessThan(envelopesEnd);
        seen[outcome] += 1;
      }),
      { numRuns: runs(300, 20_000) },
    );
    expect(seen.refused).toBeGreaterThan(seen.same);
  });

  it('is refused with any of its entries dropped, doubled, moved, renamed, added or forged', { timeout }, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(onEntries, { minLength: 1, maxLength: 3 }), async (changes) => {
        const parts = changes.reduce((now, change) => change(now), members.map(memberBytes));
        const tar = concatBytes(...parts, new Uint8Array(TAR_END_BYTES));
        const outcome = await expectRefusedOrSame(tar);
        if (outcome === 'same') expect(equalBytes(tar, original)).toBe(true);
      }),
      { numRuns: runs(300, 20_000) },
    );
  });

  const envelopesEnd = concatBytes(...members.slice(0, 2).map(memberBytes)).length;
  function firstDifference(tar: Uint8Array): number {
    return tar.findIndex((byte, i) => byte !== original[i]);
  }
});

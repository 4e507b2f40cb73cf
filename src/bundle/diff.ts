import type { Digest } from '../core/digest.ts';
import { diffFields, type FieldChange, type Fields } from '../core/field-diff.ts';
import type { KeyId } from '../core/keys.ts';
import { type AttestationChange, diffAttestations } from './attestation-diff.ts';
import type { IndexEntry } from './index-lines.ts';
import type { BundleStatement } from './statement.ts';

/** One of two bundles that are compared. What is said of its signers is as true as whoever says it. */
export type DiffSide = {
  readonly payload: Digest;
  readonly statement: BundleStatement;
  readonly entries: readonly IndexEntry[];
  readonly signers: readonly KeyId[];
  /** Newest version of the trust root that it carries; 0 for none. */
  readonly root: number;
  /** The bytes of a file; undefined when they are not there, or are not those of its digest. */
  readonly read: (entry: IndexEntry) => Uint8Array | undefined;
};

export type FileFact = Pick<IndexEntry, 'path' | 'mode' | 'size'>;

/** By install path, each list in path order. */
export type FileDiff = {
  readonly added: readonly FileFact[];
  readonly removed: readonly FileFact[];
  readonly changed: readonly { readonly path: string; readonly before: FileFact; readonly after: FileFact }[];
  readonly unchanged: number;
};

export type DiffEnd = Pick<BundleStatement, 'kind' | 'channel' | 'seq' | 'bytes'> & { readonly payload: Digest };

export type BundleDiff = {
  /** Absent when there is nothing to compare with. */
  readonly before?: DiffEnd;
  readonly after: DiffEnd;
  /** `follows`: the second names the first as the one before it. `skips`: a later one of the same channel. */
  readonly relation: 'first' | 'same' | 'follows' | 'skips' | 'precedes' | 'fork' | 'other-channel';
  /** What the statements say differently, signers and trust root included; empty without a first bundle. */
  readonly fields: readonly FieldChange[];
  readonly files: FileDiff;
  /** What the indexes demand differently of third-party signatures. */
  readonly attestations: readonly AttestationChange[];
};

/** Compares two bundles by what their statements and indexes say. Decides nothing about trust. */
export function diffBundles(before: DiffSide | undefined, after: DiffSide): BundleDiff {
  return {
    ...(before === undefined ? {} : { before: endOf(before) }),
    after: endOf(after),
    relation: before === undefined ? 'first' : relationOf(before, after),
    fields: before === undefined ? [] : diffFields(fieldsOf(before), fieldsOf(after)),
    files: diffFiles(before?.entries ?? [], after.entries),
    attestations: diffAttestations(before?.entries ?? [], after.entries),
  };
}

function endOf({ payload, statement: { kind, channel, seq, bytes } }: DiffSide): DiffEnd {
  return { kind, channel, seq, bytes, payload };
}

function relationOf(before: DiffSide, after: DiffSide): BundleDiff['relation'] {
  if (before.payload === after.payload) return 'same';
  const [old, now] = [before.statement, after.statement];
  if (old.channel !== now.channel) return 'other-channel';
  if (now.seq < old.seq) return 'precedes';
  if (now.seq === old.seq + 1 && now.prev === before.payload) return 'follows';
  return now.seq > old.seq + 1 ? 'skips' : 'fork';
}

function fieldsOf({ statement, signers, root }: DiffSide): Fields {
  const { kind, channel, seq, issuedAt, expires, audience, builder, requires, critical } = statement;
  return {
    kind,
    channel,
    seq,
    issuedAt,
    expires: expires ?? null,
    audience,
    builder: `${builder.name} ${builder.version}`,
    'requires.daemoneye': requires.daemoneye ?? null,
    'requires.root': requires.root ?? null,
    critical,
    root,
    signers: [...new Set(signers)].sort(),
  };
}

/** Compares the files of two bundles by digest and mode. */
export function diffFiles(before: readonly IndexEntry[], after: readonly IndexEntry[]): FileDiff {
  const old = new Map(before.map((entry) => [entry.path, entry]));
  const kept = new Set(after.map(({ path }) => path));
  const common = after.flatMap((entry) => {
    const known = old.get(entry.path);
    return known === undefined ? [] : [{ known, entry }];
  });
  const changed = common.filter(({ known, entry }) => known.sha256 !== entry.sha256 || known.mode !== entry.mode);
  return {
    added: after.filter(({ path }) => !old.has(path)).map(factOf),
    removed: before.filter(({ path }) => !kept.has(path)).map(factOf),
    changed: changed.map(({ known, entry }) => ({ path: entry.path, before: factOf(known), after: factOf(entry) })),
    unchanged: common.length - changed.length,
  };
}

function factOf({ path, mode, size }: IndexEntry): FileFact {
  return { path, mode, size };
}

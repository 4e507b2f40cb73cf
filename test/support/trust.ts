import { expect } from 'vitest';
import { BUNDLE_PAYLOAD_TYPE, ROOT_PAYLOAD_TYPE } from '../../src/bundle/format.ts';
import { encodeIndex, expectedBlobs, type IndexEntry } from '../../src/bundle/index-lines.ts';
import { type BundleStatement, encodeStatement } from '../../src/bundle/statement.ts';
import { encodeHex, utf8 } from '../../src/core/bytes.ts';
import { type Digest, sha256, sha256Digest } from '../../src/core/digest.ts';
import { type Envelope, encodeEnvelope, signEnvelope } from '../../src/core/dsse.ts';
import type { KeyId } from '../../src/core/keys.ts';
import { formatTime, type Time } from '../../src/core/time.ts';
import {
  BUNDLE_CHECKS,
  type BundleCheckName,
  type BundleTrust,
  BundleVerification,
} from '../../src/verify/bundle-verification.ts';
import type { BlobFindings } from '../../src/verify/checks/blobs.ts';
import type { RootFile } from '../../src/verify/root-chain.ts';
import type { RevokedKey, RoleGrant, RootDocument, TrustRoot } from '../../src/verify/root-document.ts';
import { encodeRoot, parseRoot } from '../../src/verify/trust-root.ts';
import { testKey } from './keys.ts';

/** Trust roots, chains and bundles in memory, signed with test keys. Keys, files and enclaves go by plain names. */

/** Midnight, `n` days after the day on which everything here begins. */
export function day(n: number): Time {
  return formatTime(Date.UTC(2027, 0, 1) + n * 86_400_000);
}

export function keyid(name: string): KeyId {
  return testKey(name).publicKey.keyid;
}

export type KeyPlan = { readonly operator?: string; readonly notAfter?: Time };
export type RolePlan = {
  readonly keys: readonly string[];
  readonly threshold?: number;
  readonly channels?: readonly string[];
};
export type RootPlan = {
  readonly version?: number;
  readonly issuedAt?: Time;
  readonly expires?: Time;
  readonly enclave?: string;
  readonly roles?: { readonly [role: string]: RolePlan };
  /** Keys beyond those the roles name, or more about these. */
  readonly keys?: { readonly [name: string]: KeyPlan };
  readonly revoked?: readonly string[];
  readonly revokedPayloads?: readonly Digest[];
  readonly releases?: RootDocument['releases'];
};

/** Two of three hold root, two of three others sign rules. */
export const ROLES = {
  root: { keys: ['root-a', 'root-b', 'root-c'], threshold: 2 },
  rules: { keys: ['rules-a', 'rules-b', 'rules-c'], threshold: 2 },
} as const;

/** Issued on day 0, for a thousand days, for the enclave `site-7`, with {@link ROLES}, unless the plan says otherwise. */
export function rootDocument(plan: RootPlan = {}): RootDocument {
  const { version = 1, issuedAt = day(0), expires = day(1000), enclave = 'site-7', roles = ROLES, keys = {} } = plan;
  const names = new Set([...Object.values(roles).flatMap((role) => role.keys), ...Object.keys(keys)]);
  return {
    version,
    issuedAt,
    expires,
    enclave,
    keys: Object.fromEntries([...names].map((name) => [keyid(name), { pem: pemOf(name), ...keys[name] }])),
    roles: Object.fromEntries(Object.entries(roles).map(([role, grant]) => [role, grantOf(grant)])),
    ...(plan.releases === undefined ? {} : { releases: plan.releases }),
    revoked: {
      keys: (plan.revoked ?? []).map((name): RevokedKey => ({ keyid: keyid(name) })),
      payloads: plan.revokedPayloads ?? [],
    },
  };
}

function pemOf(name: string): string {
  return testKey(name).publicKey.pem;
}

function grantOf({ keys, threshold = 1, channels }: RolePlan): RoleGrant {
  return { keyids: keys.map(keyid), threshold, ...(channels === undefined ? {} : { channels }) };
}

/** An envelope of any payload, signed by the keys of these names. */
export function signed(payloadType: string, payload: Uint8Array, signers: readonly string[]): Envelope {
  const unsigned: Envelope = { payloadType, payload, signatures: [] };
  return signers.reduce((envelope, name) => signEnvelope(envelope, testKey(name)), unsigned);
}

/** @param document need not be a valid one */
export function rootFile(document: RootDocument, signers: readonly string[] = ['root-a', 'root-b']): RootFile {
  const envelope = signed(ROOT_PAYLOAD_TYPE, encodeRoot(document), signers);
  return { version: document.version, bytes: encodeEnvelope(envelope) };
}

/** Version 1 as planned, or as {@link rootDocument} makes it, parsed as if it had been pinned. */
export function pinnedRoot(plan: RootPlan = {}): TrustRoot {
  return parseRoot(rootFile(rootDocument(plan)).bytes);
}

export type BundlePlan = {
  /** Install path to content. */
  readonly files?: { readonly [path: string]: string };
  /** Changes to the index after its entries are made. */
  readonly entries?: (entries: readonly IndexEntry[]) => readonly IndexEntry[];
  readonly statement?: Partial<BundleStatement>;
  readonly signers?: readonly string[];
  readonly roots?: readonly RootFile[];
};

export type SampleBundle = {
  readonly envelope: Uint8Array;
  readonly payload: Digest;
  readonly roots: readonly RootFile[];
  readonly index: Uint8Array;
  readonly blobs: ReadonlyMap<string, Uint8Array>;
};

const FILES = { 'linux/exec.yaml': 'title: exec\n', 'linux/net.yaml': 'title: net\n' };

/** A bundle of kind rules, seq 1 of its channel, issued on day 10, signed by two rules keys, unless planned otherwise. */
export function makeBundle(plan: BundlePlan = {}): SampleBundle {
  const { files = FILES, signers = ['rules-a', 'rules-b'], roots = [rootFile(rootDocument())] } = plan;
  const blobs = new Map(Object.values(files).map((text) => [encodeHex(sha256(utf8(text))), utf8(text)]));
  const listed = Object.entries(files).map(([path, text]): IndexEntry => {
    const bytes = utf8(text);
    return { path, mode: '0644', size: bytes.length, sha256: encodeHex(sha256(bytes)) };
  });
  const entries = plan.entries?.(listed) ?? listed;
  const index = encodeIndex(entries);
  const payload = encodeStatement({
    kind: 'rules',
    channel: `${plan.statement?.kind ?? 'rules'}/linux`,
    seq: 1,
    prev: null,
    audience: [],
    issuedAt: day(10),
    builder: { name: 'daemoneye', version: '0.1.0' },
    requires: {},
    critical: [],
    index: { sha256: encodeHex(sha256(index)), size: index.length, lines: entries.length },
    bytes: entries.reduce((sum, { size }) => sum + size, 0),
    ...plan.statement,
  });
  const envelope = encodeEnvelope(signed(BUNDLE_PAYLOAD_TYPE, payload, signers));
  return { envelope, payload: sha256Digest(payload), roots, index, blobs };
}

/** The pinned version 1, a floor of day 1, no channel seen before, unless said otherwise. */
export function trustOf(changes: Partial<BundleTrust> = {}): BundleTrust {
  return {
    pinned: pinnedRoot(),
    floor: day(1),
    toolVersion: '1.2.3',
    channelMemory: () => undefined,
    ...changes,
  };
}

/** What a reader finds in memory. */
export function findBlobs(entries: readonly IndexEntry[], blobs: ReadonlyMap<string, Uint8Array>): BlobFindings {
  const expected = [...expectedBlobs(entries).keys()];
  const differs = (name: string, bytes: Uint8Array | undefined) => bytes && encodeHex(sha256(bytes)) !== name;
  return {
    missing: expected.filter((name) => !blobs.has(name)),
    mismatched: expected.filter((name) => differs(name, blobs.get(name))),
  };
}

/** Feeds a whole bundle in order, as a reader does, and never stops early: after a failure nothing may change any more. */
export function judge(bundle: SampleBundle, trust: BundleTrust = trustOf()): BundleVerification {
  const verification = new BundleVerification(trust);
  verification.containerRead('read from memory');
  verification.head(bundle.envelope, bundle.roots);
  verification.index(bundle.index);
  verification.blobs(findBlobs(verification.entries, bundle.blobs));
  verification.content({ ok: true, reason: 'all rules compile' });
  return verification;
}

export function expectTrusted(verification: BundleVerification): void {
  const report = verification.report('sample');
  expect(report.checks.filter(({ status }) => status !== 'pass')).toEqual([]);
  expect(report.verdict).toBe('trusted');
}

/** Refused by this check with this code; every check before it passed, every one after it was not made. */
export function expectRefused(verification: BundleVerification, check: BundleCheckName, code: string): void {
  const report = verification.report('sample');
  const at = BUNDLE_CHECKS.indexOf(check);
  const expected = BUNDLE_CHECKS.map((name, i) => [name, i < at ? 'pass' : i === at ? 'fail' : 'skipped']);
  expect(report.checks.find(({ status }) => status === 'fail')).toMatchObject({ name: check, code });
  expect(report.checks.map(({ name, status }) => [name, status])).toEqual(expected);
  expect(report.verdict).toBe('refused');
}

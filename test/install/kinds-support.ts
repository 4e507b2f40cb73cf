import { join } from 'node:path';
import { type BuildInput, buildBundle } from '../../src/bundle/build-io.ts';
import type { BundleKind } from '../../src/bundle/format.ts';
import { signBundle } from '../../src/bundle/sign-io.ts';
import { contentCheck } from '../../src/cli/content-check-io.ts';
import { decidingCheck } from '../../src/core/checks.ts';
import type { Digest } from '../../src/core/digest.ts';
import { type ApplyOutcome, applyBundle } from '../../src/install/apply-io.ts';
import { initHost } from '../../src/install/host-io.ts';
import { pinRoot } from '../../src/install/pin-io.ts';
import { systemRandom } from '../../src/ledger/surroundings-io.ts';
import type { RootFile } from '../../src/verify/root-chain.ts';
import { parseRoot } from '../../src/verify/trust-root.ts';
import { type Files, writeTree } from '../bundle/sample.ts';
import { ISSUED_AT, open } from '../support/enclave.ts';
import { testKey } from '../support/keys.ts';
import { tempDirectory } from '../support/temp.ts';
import { type RootPlan, rootDocument, rootFile } from '../support/trust.ts';

/** One key a kind, so that a test can let the wrong one sign. */
export const KIND_ROLES = {
  root: { keys: ['root-a'] },
  rules: { keys: ['rules-a'] },
  config: { keys: ['config-a'] },
  updates: { keys: ['updates-a'] },
} as const;

export const SIGNER: Readonly<Record<BundleKind, string>> = {
  rules: 'rules-a',
  config: 'config-a',
  update: 'updates-a',
  trust: 'root-a',
};

/** A version of a trust root in which every kind has its signer, signed by `root-a` unless said otherwise. */
export function kindsRoot(plan: RootPlan = {}, signers: readonly string[] = ['root-a']): RootFile {
  const times = { issuedAt: ISSUED_AT, expires: '2027-06-01T00:00:00.000Z' };
  return rootFile(rootDocument({ ...times, enclave: 'enclave-1', roles: KIND_ROLES, ...plan }), signers);
}

/** A data directory with this root pinned. */
export async function kindsEnclave(root: RootFile = kindsRoot()): Promise<string> {
  const data = join(tempDirectory(), 'data');
  initHost(data, ISSUED_AT, systemRandom);
  await using install = await open(data);
  await pinRoot(install, root.bytes, parseRoot(root.bytes).digest);
  return data;
}

export type KindBundle = {
  readonly kind: BundleKind;
  readonly files: Files;
  readonly channel?: string;
  readonly seq?: number;
  readonly prev?: Digest | null;
  readonly signer?: string;
  readonly roots?: readonly RootFile[];
  readonly change?: Partial<BuildInput>;
};

/** A signed bundle directory; nothing but the builder's own rules judges it. */
export async function kindBundle(plan: KindBundle): Promise<{ readonly path: string; readonly payload: Digest }> {
  const { kind, files, roots = [kindsRoot()] } = plan;
  const source = writeTree(tempDirectory(), files);
  const out = join(tempDirectory(), 'one.bundle');
  const { statement } = await buildBundle({
    source,
    out,
    rootChain: roots.map(({ bytes }) => bytes),
    kind,
    channel: plan.channel ?? `${kind}/test`,
    seq: plan.seq ?? 1,
    prev: plan.prev ?? null,
    audience: [],
    issuedAt: '2026-02-02T00:00:00.000Z',
    builder: { name: 'test', version: '0.0.0' },
    requires: {},
    ...plan.change,
  });
  await signBundle(out, testKey(plan.signer ?? SIGNER[kind]));
  return { path: out, payload: statement };
}

/** Applies with the real content check. */
export async function applyKind(data: string, path: string): Promise<ApplyOutcome> {
  await using install = await open(data);
  return await applyBundle(install, path, 'bundle', {
    toolVersion: '0.1.0',
    content: contentCheck,
    confirm: async () => true,
  });
}

/** The check and the code that decided against, `applied` otherwise. */
export function verdictOf(outcome: ApplyOutcome): readonly [string, string | undefined] {
  if (outcome.status !== 'refused') return [outcome.status, undefined];
  const check = decidingCheck(outcome.report);
  return [check?.name ?? '', check?.code];
}

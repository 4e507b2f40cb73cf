import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildBundle } from '../../src/bundle/build-io.ts';
import { packBundle } from '../../src/bundle/pack-io.ts';
import { signBundle } from '../../src/bundle/sign-io.ts';
import type { Digest } from '../../src/core/digest.ts';
import { encodeEnvelope, signEnvelope } from '../../src/core/dsse.ts';
import { canonicalJson } from '../../src/core/jcs.ts';
import { RELEASE } from '../../src/core/release.ts';
import { finishRoot, firstDraft, sealDraft, withKey, withRole } from '../../src/verify/root-draft.ts';
import { ADDED_RULE, BASELINE_RULES } from './baseline.ts';
import { writeHostile } from './hostile.ts';
import { type ExampleName, exampleKey } from './keys.ts';

export const SAMPLE_TIMES = {
  issued: '2026-11-22T12:00:00.000Z',
  /** Far enough for samples to stay good. */
  rootExpires: '2036-11-22T12:00:00.000Z',
} as const;
export const SAMPLE_CHANNEL = 'rules/linux-baseline';

/** What a verifier says of a sample: the verdict and, for a refusal, the check and code that decide. */
export type Expectation = { readonly verdict: 'trusted' | 'refused'; readonly check?: string; readonly code?: string };

/** Builds sample bundles in a scratch folder. */
export type SampleMaker = {
  readonly scratch: string;
  readonly rootChain: readonly Uint8Array[];
  /** An unsigned bundle directory in the scratch folder. */
  build(name: string, seq: number, prev: Digest | null): Promise<{ directory: string; statement: Digest }>;
  sign(directory: string, ...names: readonly ExampleName[]): Promise<void>;
};

export async function writeSamples(target: string, library: string): Promise<void> {
  const scratch = mkdtempSync(join(tmpdir(), 'daemoneye-samples-'));
  try {
    const root = sampleRoot();
    mkdirSync(join(target, 'root'));
    writeFileSync(join(target, 'root', '1.root.dsse.json'), root);
    const maker = sampleMaker(scratch, [root], library);
    const first = await maker.build('linux-baseline-1', 1, null);
    await maker.sign(first.directory, 'alice', 'bob');
    const second = await maker.build('linux-baseline-2', 2, first.statement);
    await maker.sign(second.directory, 'bob', 'carol');
    cpSync(first.directory, join(target, 'linux-baseline-1.bundle'), { recursive: true });
    await packBundle(first.directory, join(target, 'linux-baseline-1.bundle.tar'));
    await packBundle(second.directory, join(target, 'linux-baseline-2.bundle.tar'));
    const expected: Record<string, Expectation> = {
      'linux-baseline-1.bundle': { verdict: 'trusted' },
      'linux-baseline-1.bundle.tar': { verdict: 'trusted' },
      'linux-baseline-2.bundle.tar': { verdict: 'trusted' },
      ...(await writeHostile(join(target, 'hostile'), maker, first.directory)),
    };
    writeFileSync(join(target, 'expected.json'), `${canonicalJson(expected).replaceAll('},"', '},\n"')}\n`);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** Two of alice, bob and carol hold root and rules; dave holds updates. */
function sampleRoot(): Uint8Array {
  const { issued, rootExpires } = SAMPLE_TIMES;
  const names = ['alice', 'bob', 'carol', 'dave'] as const;
  const keyids = (...who: readonly ExampleName[]) => who.map((name) => exampleKey(name).publicKey.keyid);
  let draft = firstDraft(issued, rootExpires, 'example-enclave');
  for (const name of names) draft = withKey(draft, exampleKey(name).publicKey, { operator: name });
  draft = withRole(draft, 'root', { keyids: keyids('alice', 'bob', 'carol'), threshold: 2 });
  draft = withRole(draft, 'rules', { keyids: keyids('alice', 'bob', 'carol'), threshold: 2, channels: ['rules/*'] });
  draft = withRole(draft, 'updates', { keyids: keyids('dave'), threshold: 1 });
  const signed = [exampleKey('alice'), exampleKey('bob')].reduce(signEnvelope, sealDraft(draft));
  return encodeEnvelope(finishRoot(signed, draft, undefined));
}

function sampleMaker(scratch: string, rootChain: readonly Uint8Array[], library: string): SampleMaker {
  return {
    scratch,
    rootChain,
    async build(name, seq, prev) {
      const source = join(scratch, `${name}.source`);
      mkdirSync(source);
      const rules = seq === 1 ? BASELINE_RULES : [...BASELINE_RULES, ADDED_RULE];
      for (const rule of rules) writeFileSync(join(source, rule), readFileSync(join(library, rule)));
      const directory = join(scratch, `${name}.bundle`);
      const { statement } = await buildBundle({
        source,
        out: directory,
        rootChain,
        kind: 'rules',
        channel: SAMPLE_CHANNEL,
        seq,
        prev,
        audience: [],
        issuedAt: SAMPLE_TIMES.issued,
        builder: { name: RELEASE.name, version: RELEASE.version },
        requires: {},
      });
      return { directory, statement };
    },
    async sign(directory, ...names) {
      for (const name of names) await signBundle(directory, exampleKey(name));
    },
  };
}

import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type BuildInput, buildBundle } from '../../src/bundle/build-io.ts';
import { isBundleKind } from '../../src/bundle/format.ts';
import { packBundle } from '../../src/bundle/pack-io.ts';
import { signBundle } from '../../src/bundle/sign-io.ts';
import type { Digest } from '../../src/core/digest.ts';
import { encodeEnvelope, signEnvelope } from '../../src/core/dsse.ts';
import { canonicalJson } from '../../src/core/jcs.ts';
import { RELEASE } from '../../src/core/release.ts';
import { finishRoot, firstDraft, sealDraft, withKey, withRole } from '../../src/verify/root-draft.ts';
import { ADDED_RULE, BASELINE_RULES } from './baseline.ts';
import { writeEncrypted } from './encrypted.ts';
import { writeHostile } from './hostile.ts';
import { type ExampleName, exampleKey } from './keys.ts';
import { writeKinds, writeParts } from './parts.ts';

export const SAMPLE_TIMES = {
  issued: '2026-11-22T12:00:00.000Z',
  /** Far enough for samples to stay good. */
  rootExpires: '2036-11-22T12:00:00.000Z',
} as const;
export const SAMPLE_CHANNEL = 'rules/linux-baseline';

/** What a verifier says of a sample: the verdict and, for a refusal, the check and code that decide. */
export type Expectation = { readonly verdict: 'trusted' | 'refused'; readonly check?: string; readonly code?: string };

export type BuiltSample = { readonly directory: string; readonly statement: Digest };

/** Builds sample bundles in a scratch folder. */
export type SampleMaker = {
  readonly scratch: string;
  readonly rootChain: readonly Uint8Array[];
  /** An unsigned bundle directory in the scratch folder. */
  build(name: string, seq: number, prev: Digest | null): Promise<BuiltSample>;
  /** The same of other files: the first bundle of a channel of another kind. */
  buildFiles(name: string, channel: string, files: Readonly<Record<string, string>>): Promise<BuiltSample>;
  sign(directory: string, ...names: readonly ExampleName[]): Promise<void>;
};

/** The one that is there encrypted too. */
export const ENCRYPTED_SAMPLE = 'linux-baseline-2.bundle.tar';

/** @param kept the encrypted one that the repository has */
export async function writeSamples(target: string, library: string, kept: Uint8Array | undefined): Promise<void> {
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
      ...(await writeKinds(target, maker)),
      ...(await writeParts(target, first.directory, second.directory)),
      ...(await writeHostile(join(target, 'hostile'), maker, first.directory)),
    };
    await writeEncrypted(target, ENCRYPTED_SAMPLE, kept);
    writeFileSync(join(target, 'expected.json'), `${canonicalJson(expected).replaceAll('},"', '},\n"')}\n`);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** Two of alice, bob and carol hold root and rules, alice or bob config; dave holds updates. */
function sampleRoot(): Uint8Array {
  const { issued, rootExpires } = SAMPLE_TIMES;
  const names = ['alice', 'bob', 'carol', 'dave'] as const;
  const keyids = (...who: readonly ExampleName[]) => who.map((name) => exampleKey(name).publicKey.keyid);
  let draft = firstDraft(issued, rootExpires, 'example-enclave');
  for (const name of names) draft = withKey(draft, exampleKey(name).publicKey, { operator: name });
  draft = withRole(draft, 'root', { keyids: keyids('alice', 'bob', 'carol'), threshold: 2 });
  draft = withRole(draft, 'rules', { keyids: keyids('alice', 'bob', 'carol'), threshold: 2, channels: ['rules/*'] });
  draft = withRole(draft, 'updates', { keyids: keyids('dave'), threshold: 1 });
  draft = withRole(draft, 'config', { keyids: keyids('alice', 'bob'), threshold: 1 });
  const signed = [exampleKey('alice'), exampleKey('bob')].reduce(signEnvelope, sealDraft(draft));
  return encodeEnvelope(finishRoot(signed, draft, undefined));
}

function sampleMaker(scratch: string, rootChain: readonly Uint8Array[], library: string): SampleMaker {
  const build = async (name: string, place: Pick<BuildInput, 'kind' | 'channel' | 'seq' | 'prev'>) => {
    const directory = join(scratch, `${name}.bundle`);
    const { statement } = await buildBundle({
      source: join(scratch, `${name}.source`),
      out: directory,
      rootChain,
      ...place,
      audience: [],
      issuedAt: SAMPLE_TIMES.issued,
      builder: { name: RELEASE.name, version: RELEASE.version },
      requires: {},
    });
    return { directory, statement };
  };
  const writeSource = (name: string, files: Readonly<Record<string, string | Uint8Array>>) => {
    for (const [path, content] of Object.entries(files)) {
      const file = join(scratch, `${name}.source`, path);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, content);
    }
  };
  return {
    scratch,
    rootChain,
    build(name, seq, prev) {
      const rules = seq === 1 ? BASELINE_RULES : [...BASELINE_RULES, ADDED_RULE];
      writeSource(name, Object.fromEntries(rules.map((rule) => [rule, readFileSync(join(library, rule))])));
      return build(name, { kind: 'rules', channel: SAMPLE_CHANNEL, seq, prev });
    },
    buildFiles(name, channel, files) {
      const [kind = ''] = channel.split('/');
      if (!isBundleKind(kind)) throw new Error(`${kind} is no kind of bundle`);
      writeSource(name, files);
      return build(name, { kind, channel, seq: 1, prev: null });
    },
    async sign(directory, ...names) {
      for (const name of names) await signBundle(directory, exampleKey(name));
    },
  };
}

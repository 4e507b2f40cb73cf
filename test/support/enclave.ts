import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { buildBundle } from '../../src/bundle/build-io.ts';
import { signBundle } from '../../src/bundle/sign-io.ts';
import type { Digest } from '../../src/core/digest.ts';
import { encodeEnvelope, signEnvelope } from '../../src/core/dsse.ts';
import { initHost } from '../../src/install/host-io.ts';
import { openInstall, type WritableInstall } from '../../src/install/install-io.ts';
import { pinRoot } from '../../src/install/pin-io.ts';
import type { ContentCheck } from '../../src/install/verify-io.ts';
import type { Surroundings } from '../../src/ledger/composer.ts';
import { systemRandom, systemSurroundings } from '../../src/ledger/surroundings-io.ts';
import type { RootDocument } from '../../src/verify/root-document.ts';
import {
  finishRoot,
  firstDraft,
  nextDraft,
  sealDraft,
  withKey,
  withRevokedKey,
  withRole,
} from '../../src/verify/root-draft.ts';
import { parseRoot } from '../../src/verify/trust-root.ts';
import { testKey } from './keys.ts';
import { tempDirectory } from './temp.ts';

export const BUILT_AT = '2026-01-01T00:00:00.000Z';
export const ISSUED_AT = '2026-02-01T00:00:00.000Z';
export const ROOT_EXPIRES = '2027-02-01T00:00:00.000Z';
export const CHANNEL = 'rules/test';

/** Content is for other tests; here every bundle's is fine. */
export const anyContent: ContentCheck = async () => ({ ok: true, reason: 'not looked at' });

/** Version 1 of a trust root: a holds root, b heads, a and b together rules. */
export function rootOne(): Uint8Array {
  let draft = firstDraft(ISSUED_AT, ROOT_EXPIRES, 'enclave-1');
  for (const name of ['a', 'b']) draft = withKey(draft, testKey(name).publicKey, { operator: name });
  const [a, b] = ['a', 'b'].map((name) => testKey(name).publicKey.keyid);
  draft = withRole(draft, 'root', { keyids: [a ?? ''], threshold: 1 });
  draft = withRole(draft, 'rules', { keyids: [a ?? '', b ?? ''], threshold: 2 });
  draft = withRole(draft, 'heads', { keyids: [b ?? ''], threshold: 1 });
  return finished(draft);
}

/** Version 2: the same, one higher. */
export function rootTwo(
  first: Uint8Array,
  change: (draft: RootDocument) => RootDocument = (draft) => draft,
): Uint8Array {
  return finished(change(nextDraft(parseRoot(first), '2026-03-01T00:00:00.000Z', ROOT_EXPIRES)));
}

/** Version 2, in which b's key is lost and c signs rules instead; nobody signs heads any more. */
export function rootWithoutB(): Uint8Array {
  return rootTwo(rootOne(), (draft) => {
    const [a, b, c] = ['a', 'b', 'c'].map((name) => testKey(name).publicKey.keyid);
    const listed = withKey(draft, testKey('c').publicKey, { operator: 'c' });
    const granted = withRole(listed, 'rules', { keyids: [a ?? '', c ?? ''], threshold: 2 });
    const { heads: _, ...roles } = granted.roles;
    return withRevokedKey({ ...granted, roles }, b ?? '');
  });
}

function finished(draft: RootDocument): Uint8Array {
  return encodeEnvelope(finishRoot(signEnvelope(sealDraft(draft), testKey('a')), draft, undefined));
}

export type TestBundle = {
  readonly seq?: number;
  readonly prev?: Digest | null;
  readonly files?: { readonly [path: string]: string };
  readonly signers?: readonly string[];
  readonly rootChain?: readonly Uint8Array[];
  readonly expires?: string;
  readonly issuedAt?: string;
  readonly audience?: readonly string[];
};

let bundles = 0;

/** A signed bundle directory. */
export async function makeBundle(parent: string, options: TestBundle = {}): Promise<{ path: string; payload: Digest }> {
  bundles += 1;
  const source = join(parent, `source-${bundles}`);
  for (const [path, text] of Object.entries(options.files ?? { 'one.yaml': 'one', 'deep/two.yaml': 'two' })) {
    mkdirSync(dirname(join(source, path)), { recursive: true });
    writeFileSync(join(source, path), text);
  }
  const path = join(parent, `bundle-${bundles}`);
  const { statement } = await buildBundle({
    source,
    out: path,
    rootChain: options.rootChain ?? [rootOne()],
    kind: 'rules',
    channel: CHANNEL,
    seq: options.seq ?? 1,
    prev: options.prev ?? null,
    audience: options.audience ?? [],
    issuedAt: options.issuedAt ?? ISSUED_AT,
    ...(options.expires === undefined ? {} : { expires: options.expires }),
    builder: { name: 'test', version: '0.0.0' },
    requires: {},
  });
  for (const signer of options.signers ?? ['a', 'b']) await signBundle(path, testKey(signer));
  return { path, payload: statement };
}

/** @param surroundings of the machine, unless the clock is to be another */
export function open(data: string, surroundings: Surroundings = systemSurroundings()): Promise<WritableInstall> {
  return openInstall(data, BUILT_AT, surroundings, { type: 'process', id: 'test' });
}

/** A data directory with {@link rootOne} pinned. @param parent where; by default it goes when the test ends */
export async function makeEnclave(parent: string = tempDirectory()): Promise<string> {
  const data = join(parent, 'data');
  initHost(data, ISSUED_AT, systemRandom);
  const root = rootOne();
  await using install = await open(data);
  await pinRoot(install, root, parseRoot(root).digest);
  return data;
}

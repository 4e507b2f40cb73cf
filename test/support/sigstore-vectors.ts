import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Artifact } from '../../src/verify/release/method.ts';
import { vectors } from './vectors.ts';

export const SIGSTORE_VECTORS = vectors('sigstore');

/** The defaults that the vectors' README names. */
export const BEACON = {
  identity:
    'https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/.github/workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main',
  issuer: 'https://token.actions.githubusercontent.com',
} as const;

/** One directory of the sigstore-conformance suite's data. */
export type SigstoreVector = {
  readonly name: string;
  readonly accepted: boolean;
  readonly paths: { readonly bundle: string; readonly artifact: string; readonly root?: string; readonly key?: string };
  readonly identity: string;
  readonly issuer: string;
};

export function sigstoreVectors(): SigstoreVector[] {
  const base = SIGSTORE_VECTORS;
  if (base === undefined) return [];
  const names = readdirSync(base).filter((name) => existsSync(join(base, name, 'bundle.sigstore.json')));
  return names.map((name) => {
    const file = (file: string) => (existsSync(join(base, name, file)) ? join(base, name, file) : undefined);
    const text = (file_: string) => {
      const path = file(file_);
      return path === undefined ? undefined : readFileSync(path, 'utf8').trim();
    };
    const [root, key] = [file('trusted_root.json'), file('key.pub')];
    return {
      name,
      accepted: !name.endsWith('_fail'),
      paths: {
        bundle: join(base, name, 'bundle.sigstore.json'),
        artifact: file('artifact') ?? join(base, 'a.txt'),
        ...(root === undefined ? {} : { root }),
        ...(key === undefined ? {} : { key }),
      },
      identity: text('identity') ?? BEACON.identity,
      issuer: text('issuer') ?? BEACON.issuer,
    };
  });
}

/** An artifact as whoever streams it hands it over; its bytes only on request. */
export function artifactOf(
  bytes: Uint8Array,
  options: { readonly name?: string; readonly inMemory?: boolean } = {},
): Artifact {
  const hash = (name: string) => createHash(name).update(bytes).digest('hex');
  return {
    name: options.name ?? 'artifact',
    digests: { sha256: hash('sha256'), sha384: hash('sha384'), sha512: hash('sha512') },
    ...(options.inMemory === true ? { bytes } : {}),
  };
}

import { utf8 } from '../../../core/bytes.ts';
import { type Check, passed } from '../../../core/checks.ts';
import { type Digest, sha256Digest } from '../../../core/digest.ts';
import { escapeForTerminal } from '../../../core/terminal-text.ts';
import { NPM_REGISTRY_KEYS } from './public-keys.ts';
import { type RegistryKey, readRegistryKeys } from './registry-keys.ts';

/** The keys of a package registry, and where they come from. */
export type RegistryTrust = {
  readonly keys: readonly RegistryKey[];
  /** For the report. */
  readonly source: string;
  /** Of the file's bytes. */
  readonly digest: Digest;
};

/** Said in every report that rests on them. */
export const SHIPPED_KEYS_SOURCE = "npm's registry keys of 2026-11-05, shipped with this program";

export function shippedRegistryKeys(): RegistryTrust {
  return readRegistryTrust(utf8(NPM_REGISTRY_KEYS), SHIPPED_KEYS_SOURCE);
}

/** @throws ReleaseError KEY_REFUSED */
export function readRegistryTrust(bytes: Uint8Array, source: string): RegistryTrust {
  return { keys: readRegistryKeys(bytes), source, digest: sha256Digest(bytes) };
}

export function registryKeysCheck({ source, digest }: RegistryTrust): Check {
  return passed('registry-keys', escapeForTerminal(`${source}, ${digest}`));
}

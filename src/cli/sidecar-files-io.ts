import { existsSync } from 'node:fs';
import { equalBytes } from '../core/bytes.ts';
import { type Envelope, payloadDigest } from '../core/dsse.ts';
import type { PrivateKey } from '../core/keys.ts';
import { SIDECAR_ENDINGS, SIDECAR_KINDS, type SidecarKind, signSidecar } from '../verify/release/sidecars.ts';
import { parseChoice } from './choice.ts';
import { type NewFile, readInputFile, refuseExisting } from './files-io.ts';

/** Digits of the keyid in a file's name: two people sign one statement. */
const KEYID_DIGITS = 8;

/** @throws CliError USAGE_VALUE */
export function parseSidecars(words: readonly string[]): SidecarKind[] {
  return [...new Set(words.map((word) => parseChoice(word, SIDECAR_KINDS, '--sidecar')))];
}

/**
 * The statement of a bundle as a file beside it, and signatures over exactly these bytes: `<bundle>.statement.json` and
 * `<bundle>.statement.json.<8 digits of the keyid>.minisig` and so on.
 * @returns those not there yet, and the paths of all @throws CliError FILE_EXISTS where another file has the name
 */
export function sidecarFiles(
  bundle: string,
  envelope: Envelope,
  kinds: readonly SidecarKind[],
  key: PrivateKey,
): { readonly lacking: readonly NewFile[]; readonly paths: readonly string[] } {
  const { payload } = envelope;
  const statement = `${bundle.replace(/[/\\]+$/, '')}.statement.json`;
  const by = key.publicKey.keyid.slice(0, KEYID_DIGITS);
  const comment = `bundle statement ${payloadDigest(envelope)}`;
  const files = [
    { path: statement, bytes: payload, mode: 0o644 },
    ...kinds.map((kind) => ({
      path: `${statement}.${by}${SIDECAR_ENDINGS[kind]}`,
      bytes: signSidecar(kind, key, payload, comment),
      mode: 0o644,
    })),
  ];
  const lacking = files.filter((file) => !isThere(file));
  refuseExisting(lacking.map(({ path }) => path));
  return { lacking, paths: files.map(({ path }) => path) };
}

/** As it would be written: signing twice changes nothing. */
function isThere({ path, bytes }: NewFile): boolean {
  return existsSync(path) && equalBytes(readInputFile(path), bytes);
}

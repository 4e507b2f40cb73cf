import { utf8 } from '../../core/bytes.ts';
import type { Time } from '../../core/time.ts';
import { FILE_NAMESPACE } from '../../verify/release/ssh/format.ts';
import { usageError } from '../errors.ts';
import { parseWholeNumber } from '../whole-number.ts';
import type { Trusted } from './choose.ts';
import { certifiedTrust, keyedTrust, type SigstoreOptions, wantsCertificate } from './sigstore-trust.ts';
import type { TrustFiles } from './trust-files-io.ts';

/** What the command line says to trust; values are files, or names that the trust root pins, unless said otherwise. */
export type TrustOptions = SigstoreOptions & {
  /** A file, or the key itself as publishers print it (`RW…`). */
  readonly minisign?: string | undefined;
  readonly signify?: string | undefined;
  readonly sshSigners?: string | undefined;
  readonly sshRevoked?: string | undefined;
  readonly sshNamespace?: string | undefined;
  readonly key?: string | undefined;
  readonly openpgp?: string | undefined;
  /** How many must have signed, as the command line says it. */
  readonly openpgpSigners?: string | undefined;
};

/** 42 bytes in base64, which start with `Ed`. */
const MINISIGN_KEY = /^RW[A-Za-z0-9+/]{54}$/;

/**
 * Reads what is trusted. Never anything that lies beside the artifact by itself: who can put an artifact there can put a
 * key there.
 * @throws CliError as `TrustFiles.read`, USAGE_OPTION for options that judge nothing
 */
export async function readTrusted(options: TrustOptions, floor: Time, files: TrustFiles): Promise<Trusted[]> {
  assertUsed(options);
  const { minisign, signify, sshSigners, sshRevoked, sshNamespace = FILE_NAMESPACE, identity, key } = options;
  const trusted: Trusted[] = [];
  if (minisign !== undefined) {
    const bytes = MINISIGN_KEY.test(minisign)
      ? utf8(minisign)
      : (await files.read(minisign, 'minisign', '--minisign')).bytes;
    const { prepareMinisign } = await import('../../verify/release/minisign-method.ts');
    const prepare: Trusted['prepare'] = (signature) => prepareMinisign(signature.bytes, bytes);
    trusted.push({ name: 'minisign', option: '--minisign', kinds: ['minisign'], prepare });
  }
  if (signify !== undefined) {
    const { bytes } = await files.read(signify, 'signify', '--signify');
    const { prepareSignify } = await import('../../verify/release/signify-method.ts');
    const prepare: Trusted['prepare'] = (signature) => prepareSignify(signature.bytes, bytes);
    trusted.push({ name: 'signify', option: '--signify', kinds: ['signify'], prepare });
  }
  if (sshSigners !== undefined) {
    const { bytes: signers } = await files.read(sshSigners, 'ssh-signers', '--ssh-signers');
    const listed = sshRevoked === undefined ? undefined : await files.read(sshRevoked, 'ssh-revoked', '--ssh-revoked');
    const revoked = listed?.bytes;
    const { prepareSsh } = await import('../../verify/release/ssh-method.ts');
    const material = { signers, revoked, identity, namespace: sshNamespace, floor };
    trusted.push({
      name: 'ssh',
      option: '--ssh-signers',
      kinds: ['ssh'],
      prepare: (signature) => prepareSsh(signature.bytes, material),
    });
  }
  const { openpgp } = options;
  if (openpgp !== undefined) {
    const { bytes } = await files.read(openpgp, 'openpgp', '--openpgp');
    const [{ parseKeyring }, { prepareOpenpgp }] = await Promise.all([
      import('../../verify/release/openpgp/keyring.ts'),
      import('../../verify/release/openpgp/openpgp-method.ts'),
    ]);
    const trust = { keyring: parseKeyring(bytes), threshold: signersOf(options.openpgpSigners), floor };
    const prepare: Trusted['prepare'] = (signature) => prepareOpenpgp(signature.bytes, trust);
    trusted.push({ name: 'openpgp', option: '--openpgp', kinds: ['openpgp'], prepare });
  }
  const isCertified = wantsCertificate(options);
  if (key !== undefined) {
    const { bytes } = await files.read(key, 'key', '--key');
    const [{ prepareRaw }, { prepareSigstore }] = await Promise.all([
      import('../../verify/release/raw-method.ts'),
      import('../../verify/release/sigstore-method.ts'),
    ]);
    const keyed = isCertified ? undefined : await keyedTrust(bytes, options, files);
    trusted.push({
      name: 'key',
      option: '--key',
      kinds: keyed === undefined ? ['raw'] : ['raw', 'sigstore'],
      prepare: (signature) =>
        signature.kind === 'sigstore' && keyed !== undefined
          ? prepareSigstore(signature.bytes, keyed)
          : prepareRaw(signature.bytes, bytes),
    });
  }
  if (isCertified) {
    const trust = await certifiedTrust(options, files);
    const { prepareSigstore } = await import('../../verify/release/sigstore-method.ts');
    const prepare: Trusted['prepare'] = (signature) => prepareSigstore(signature.bytes, trust);
    trusted.push({ name: 'sigstore', option: '--trusted-root', kinds: ['sigstore'], prepare });
  }
  return trusted;
}

function signersOf(text: string | undefined): number {
  const number = text === undefined ? 1 : parseWholeNumber(text, '--openpgp-signers');
  if (number >= 1) return number;
  throw usageError('USAGE_VALUE', '--openpgp-signers is at least 1: what nobody signed is not trusted');
}

/** An option that would be ignored is a mistake: who gives it believes that it counts. */
function assertUsed(options: TrustOptions): void {
  const { sshSigners, sshRevoked, sshNamespace, identity, key, trustedRoot, withoutLog, openpgp } = options;
  const isCertified = wantsCertificate(options);
  const unused = {
    ...(sshSigners === undefined ? { '--ssh-revoked': sshRevoked, '--ssh-namespace': sshNamespace } : {}),
    ...(sshSigners === undefined && !isCertified ? { '--identity': identity } : {}),
    ...(key === undefined && !isCertified ? { '--trusted-root': trustedRoot } : {}),
    ...(key === undefined && withoutLog === true ? { '--without-log': '' } : {}),
    ...(openpgp === undefined ? { '--openpgp-signers': options.openpgpSigners } : {}),
  };
  for (const [option, value] of Object.entries(unused)) {
    if (value !== undefined)
      throw usageError('USAGE_OPTION', `${option} says nothing alone: ${COMPANIONS[option] ?? ''}`);
  }
  if (sshSigners !== undefined && isCertified) {
    throw usageError(
      'USAGE_OPTION',
      '--identity means another name to SSH and to sigstore; verify with one, then the other',
    );
  }
}

const COMPANIONS: Readonly<Record<string, string>> = {
  '--ssh-revoked': 'give --ssh-signers too',
  '--ssh-namespace': 'give --ssh-signers too',
  '--identity': 'give --issuer and --trusted-root, or --ssh-signers, too',
  '--without-log': 'give --key too',
  '--openpgp-signers': 'give --openpgp too',
  '--trusted-root': 'give --identity and --issuer, or --key, too',
};

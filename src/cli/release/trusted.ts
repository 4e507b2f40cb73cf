import { utf8 } from '../../core/bytes.ts';
import type { Time } from '../../core/time.ts';
import { prepareMinisign, prepareRaw, prepareSignify, prepareSsh } from '../../verify/release/methods.ts';
import { FILE_NAMESPACE } from '../../verify/release/ssh/format.ts';
import { usageError } from '../errors.ts';
import type { Trusted } from './choose.ts';
import { readMaterial } from './signatures-io.ts';

/** What the command line says to trust; values are files unless said otherwise. */
export type TrustOptions = {
  /** A file, or the key itself as publishers print it (`RW…`). */
  readonly minisign?: string | undefined;
  readonly signify?: string | undefined;
  readonly sshSigners?: string | undefined;
  readonly sshRevoked?: string | undefined;
  readonly sshNamespace?: string | undefined;
  readonly identity?: string | undefined;
  readonly key?: string | undefined;
};

/** 42 bytes in base64, which start with `Ed`. */
const MINISIGN_KEY = /^RW[A-Za-z0-9+/]{54}$/;

/**
 * Reads what is trusted. Never anything that lies beside the artifact by itself: who can put an artifact there can put a
 * key there.
 * @throws CliError as `readMaterial`, USAGE_OPTION for options that judge nothing
 */
export function readTrusted(options: TrustOptions, floor: Time): Trusted[] {
  assertUsed(options);
  const { minisign, signify, sshSigners, sshRevoked, sshNamespace = FILE_NAMESPACE, identity, key } = options;
  const trusted: Trusted[] = [];
  if (minisign !== undefined) {
    const bytes = MINISIGN_KEY.test(minisign) ? utf8(minisign) : readMaterial(minisign);
    const prepare: Trusted['prepare'] = (signature) => prepareMinisign(signature.bytes, bytes);
    trusted.push({ name: 'minisign', option: '--minisign', kinds: ['minisign'], prepare });
  }
  if (signify !== undefined) {
    const bytes = readMaterial(signify);
    const prepare: Trusted['prepare'] = (signature) => prepareSignify(signature.bytes, bytes);
    trusted.push({ name: 'signify', option: '--signify', kinds: ['signify'], prepare });
  }
  if (sshSigners !== undefined) {
    const signers = readMaterial(sshSigners);
    const revoked = sshRevoked === undefined ? undefined : readMaterial(sshRevoked);
    const material = { signers, revoked, identity, namespace: sshNamespace, floor };
    trusted.push({
      name: 'ssh',
      option: '--ssh-signers',
      kinds: ['ssh'],
      prepare: (signature) => prepareSsh(signature.bytes, material),
    });
  }
  if (key !== undefined) {
    const bytes = readMaterial(key);
    const prepare: Trusted['prepare'] = (signature) => prepareRaw(signature.bytes, bytes);
    trusted.push({ name: 'key', option: '--key', kinds: ['raw'], prepare });
  }
  return trusted;
}

/** An option that would be ignored is a mistake: who gives it believes that it counts. */
function assertUsed({ sshSigners, sshRevoked, sshNamespace, identity }: TrustOptions): void {
  if (sshSigners !== undefined) return;
  const unused = { '--ssh-revoked': sshRevoked, '--ssh-namespace': sshNamespace, '--identity': identity };
  for (const [option, value] of Object.entries(unused)) {
    if (value !== undefined)
      throw usageError('USAGE_OPTION', `${option} says who may sign for --ssh-signers; give that too`);
  }
}

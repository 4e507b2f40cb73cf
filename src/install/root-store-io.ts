import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { rootFileName } from '../bundle/format.ts';
import { encodeEnvelope } from '../core/dsse.ts';
import { messageOf } from '../core/errors.ts';
import { createDirectoryDurably, writeFileDurably } from '../durable/files-io.ts';
import { assertSignedBy } from '../verify/root-chain.ts';
import type { TrustRoot } from '../verify/root-document.ts';
import { parseRoot } from '../verify/trust-root.ts';
import { InstallError, tampered } from './errors.ts';
import type { DataLayout } from './layout.ts';
import type { InstallState } from './state.ts';

/**
 * The trust root that judges here: the version the install log names, from its file.
 * @throws InstallError NO_TRUST_ROOT before one is pinned, STATE_TAMPERED when the file is not the one that was pinned
 */
export function loadPinnedRoot(layout: DataLayout, state: InstallState): TrustRoot {
  if (state.root === undefined) {
    throw new InstallError(
      'NO_TRUST_ROOT',
      'no trust root is pinned here: pin the publisher\'s with "daemoneye trust pin ROOT --fingerprint F"',
    );
  }
  const path = join(layout.roots, rootFileName(state.root.version));
  const root = readRoot(path);
  if (root.digest !== state.root.payload) {
    throw tampered(`${path} is not the trust root that was pinned; restore it from a backup or pin anew elsewhere`);
  }
  return root;
}

/**
 * Every version that is stored here, from the oldest to the one that judges. Each stands by the signatures of the one
 * before it, and the newest by the install log. For telling what changed: who is believed, the newest alone decides.
 * @throws as {@link loadPinnedRoot}; InstallError STATE_TAMPERED when a stored version doesn't lead to the next
 */
export function loadRootHistory(layout: DataLayout, state: InstallState): readonly TrustRoot[] {
  const history = [loadPinnedRoot(layout, state)];
  for (;;) {
    const [next] = history;
    const path = join(layout.roots, rootFileName((next?.version ?? 0) - 1));
    if (next === undefined || !existsSync(path)) return history;
    const root = readRoot(path);
    try {
      if (root.version !== next.version - 1) throw new Error(`it is version ${root.version}`);
      assertSignedBy(root, root, 'ROOT_SIGNATURES_OWN');
      assertSignedBy(root, next, 'ROOT_SIGNATURES_PREVIOUS');
    } catch (cause) {
      throw tampered(`${path} is not a version that led to version ${next.version}: ${messageOf(cause)}`, { cause });
    }
    history.unshift(root);
  }
}

function readRoot(path: string): TrustRoot {
  try {
    return parseRoot(new Uint8Array(readFileSync(path)));
  } catch (cause) {
    throw tampered(`the pinned trust root ${path} can't be read: ${messageOf(cause)}`, { cause });
  }
}

/** Stores verified versions of the trust root, before the log names them. @throws DurableError */
export function storeRoots(layout: DataLayout, roots: readonly TrustRoot[]): void {
  createDirectoryDurably(layout.roots);
  for (const root of roots) {
    writeFileDurably(join(layout.roots, rootFileName(root.version)), encodeEnvelope(root.envelope), { mode: 0o644 });
  }
}

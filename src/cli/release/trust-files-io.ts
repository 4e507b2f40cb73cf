import { existsSync } from 'node:fs';
import { escapeForTerminal } from '../../core/terminal-text.ts';
import type { PinKind, ReleasePin, TrustRoot } from '../../verify/root-document.ts';
import { CliError, usageError } from '../errors.ts';
import { isDirectory } from '../files-io.ts';
import { judging } from '../judging.ts';
import { isName } from '../names.ts';
import type { ReleaseStanding } from './floor.ts';
import { readMaterial } from './signatures-io.ts';

/** A file that somebody trusts. */
export type TrustFile = {
  readonly bytes: Uint8Array;
  /** What a report calls it. */
  readonly source: string;
};

/** Reads what an option says to trust: a file, or a name that the trust root pins. */
export type TrustFiles = {
  /**
   * @param option as people type it
   * @throws CliError as `readMaterial`, USAGE_VALUE for a name that is pinned as another kind or is a file's too;
   *   InstallError PIN_MISSING, STATE_TAMPERED; VerifyError ROOT_EXPIRED
   */
  readonly read: (value: string, kind: PinKind, option: string) => Promise<TrustFile>;
  /** Every pin that was read, in words: a report names what it rests on. */
  readonly used: () => readonly string[];
};

export function trustFiles({ root: load, floor, layout }: ReleaseStanding): TrustFiles {
  const used = new Set<string>();
  const readPin = async (name: string, pin: ReleasePin, root: TrustRoot): Promise<TrustFile> => {
    const { assertRootNotExpired } = await import('../../verify/root-chain.ts');
    // What an expired root says counts here as little as in a bundle.
    assertRootNotExpired(root, floor);
    const { readPinnedFile } = await import('../../install/pinned-files-io.ts');
    const bytes = await judging(() => readPinnedFile(layout, name, pin));
    const source = `${name}, pinned in trust root ${root.version}`;
    used.add(`${name} (${pin.kind}, sha256:${pin.sha256}), by trust root ${root.version}`);
    return { bytes, source };
  };
  const pinnedAs = async (value: string): Promise<{ pin: ReleasePin; root: TrustRoot } | undefined> => {
    if (!isName(value)) return undefined;
    const root = await judging(load);
    const pin = root?.releases.get(value);
    return root === undefined || pin === undefined ? undefined : { pin, root };
  };
  return {
    used: () => [...used],
    read: async (value, kind, option) => {
      const isFile = existsSync(value) && !isDirectory(value);
      const pinned = await pinnedAs(value);
      if (pinned === undefined) return { bytes: readNamed(value, kind), source: escapeForTerminal(value) };
      if (isFile) throw ambiguous(value, option);
      const { pin, root } = pinned;
      if (pin.kind !== kind) {
        throw usageError(
          'USAGE_VALUE',
          `${option} takes what is pinned as ${kind}, and ${value} is pinned as ${pin.kind}`,
        );
      }
      return readPin(value, pin, root);
    },
  };
}

function ambiguous(value: string, option: string): CliError {
  return usageError(
    'USAGE_VALUE',
    `${option} ${value}: there is a file of that name here, and a pin; write ./${value} for the file, or call this ` +
      'from another directory for the pin',
  );
}

function readNamed(value: string, kind: PinKind): Uint8Array {
  try {
    return readMaterial(value);
  } catch (cause) {
    if (!(cause instanceof CliError) || cause.code !== 'FILE_NOT_FOUND' || !isName(value)) throw cause;
    const message = `there is neither a file ${value} nor anything pinned here by that name (${kind}); see release roots list`;
    throw new CliError('FILE_NOT_FOUND', message, { cause });
  }
}

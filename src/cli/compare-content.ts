import type { DiffSide } from '../bundle/diff.ts';
import type { BundleStatement } from '../bundle/statement.ts';
import { settingsOfBundle } from '../config/bundle.ts';
import { diffSettings, type SettingChange } from '../config/diff.ts';
import { ConfigError } from '../config/errors.ts';
import type { SomeSettings } from '../config/settings.ts';
import { DaemonEyeError, messageOf } from '../core/errors.ts';
import type { FieldChange } from '../core/field-diff.ts';
import type { RulesDiff } from '../rules/diff.ts';
import { parsePinnedFilePath } from '../verify/release-pins.ts';
import { diffRoots } from '../verify/root-diff.ts';
import type { TrustRoot } from '../verify/root-document.ts';
import { parseRoot } from '../verify/trust-root.ts';
import { MAX_TEXT_BYTES } from './content-check-io.ts';

/** What two bundles of one kind say differently inside their files. Nothing is compiled, run or believed. */
export type ContentDiff = {
  readonly rules?: RulesDiff;
  readonly settings?: readonly SettingChange[];
  /** Of the newest version of the trust root. */
  readonly root?: readonly FieldChange[];
  /** Files that can't be looked into: not there, too much, or not what they should be. */
  readonly unseen: readonly Unseen[];
};

export type Unseen = { readonly side: 'before' | 'after'; readonly path: string; readonly reason: string };

/** Whether a comparison looks into the files, and so they have to be read. */
export function looksInside({ kind, bytes }: BundleStatement): boolean {
  return kind !== 'update' && bytes <= MAX_TEXT_BYTES;
}

export async function compareContent(before: DiffSide | undefined, after: DiffSide): Promise<ContentDiff> {
  const { kind } = after.statement;
  const sides = [before, after].map((side) => (side?.statement.kind === kind ? side : undefined));
  const [old, now] = [filesOf(sides[0], 'before'), filesOf(sides[1], 'after')];
  const unseen = [...old.unseen, ...now.unseen];
  if (kind === 'rules') {
    const { diffRules } = await import('../rules/diff.ts');
    return { rules: diffRules(old.files, now.files), unseen };
  }
  if (kind === 'config') {
    const [left, right] = [settingsIn(old), settingsIn(now)];
    return { settings: diffSettings(left.settings, right.settings), unseen: [...left.unseen, ...right.unseen] };
  }
  if (kind === 'trust') {
    const [left, right] = [newestRoot(old), newestRoot(now)];
    return { root: diffRoots(left.root, right.root), unseen: [...left.unseen, ...right.unseen] };
  }
  return { unseen };
}

type File = { readonly path: string; readonly bytes: Uint8Array };
type Files = { readonly files: readonly File[]; readonly unseen: readonly Unseen[]; readonly side: Unseen['side'] };

function filesOf(from: DiffSide | undefined, side: Unseen['side']): Files {
  const files: File[] = [];
  const unseen: Unseen[] = [];
  if (from === undefined || from.statement.kind === 'update') return { files, unseen, side };
  if (!looksInside(from.statement)) {
    return {
      files,
      unseen: [{ side, path: '.', reason: `${from.statement.bytes} bytes are too many to compare` }],
      side,
    };
  }
  for (const entry of from.entries) {
    const bytes = from.read(entry);
    if (bytes === undefined) unseen.push({ side, path: entry.path, reason: 'it is not there, or not the file listed' });
    else files.push({ path: entry.path, bytes });
  }
  return { files, unseen, side };
}

function settingsIn({ files, unseen, side }: Files): {
  readonly settings: SomeSettings;
  readonly unseen: readonly Unseen[];
} {
  if (files.length === 0) return { settings: {}, unseen };
  try {
    return { settings: settingsOfBundle(files), unseen };
  } catch (cause) {
    if (!(cause instanceof ConfigError)) throw cause;
    const path = files[0]?.path ?? '.';
    return { settings: {}, unseen: [...unseen, { side, path, reason: messageOf(cause) }] };
  }
}

/** Parsed, not verified: who signed it is for the verdict, not for a comparison. */
function newestRoot({ files, unseen, side }: Files): { readonly root?: TrustRoot; readonly unseen: readonly Unseen[] } {
  const trouble = [...unseen];
  let newest: TrustRoot | undefined;
  for (const { path, bytes } of files) {
    // Compared by the pins that name them.
    if (parsePinnedFilePath(path) !== undefined) continue;
    try {
      const root = parseRoot(bytes);
      if (newest === undefined || root.version > newest.version) newest = root;
    } catch (cause) {
      if (!(cause instanceof DaemonEyeError)) throw cause;
      trouble.push({ side, path, reason: cause.message });
    }
  }
  return { ...(newest === undefined ? {} : { root: newest }), unseen: trouble };
}

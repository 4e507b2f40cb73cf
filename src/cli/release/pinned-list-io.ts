import { DaemonEyeError } from '../../core/errors.ts';
import { escapeForTerminal } from '../../core/terminal-text.ts';
import type { Time } from '../../core/time.ts';
import { InstallError } from '../../install/errors.ts';
import type { DataLayout } from '../../install/layout.ts';
import { readPinnedFile } from '../../install/pinned-files-io.ts';
import { countsUntil, pinnedParts, type Standing, standingOf } from '../../verify/release/pinned-file.ts';
import type { DatedPart } from '../../verify/release/sigstore/root-parts.ts';
import { pinHistory } from '../../verify/release-pins.ts';
import type { PinKind, TrustRoot } from '../../verify/root-document.ts';

/** What is to be known of a file that releases are judged by. */
export type PinView = {
  readonly name: string;
  readonly kind: PinKind;
  readonly sha256: string;
  /** Whether the pinned file can be used here, and if not, why. */
  readonly file: 'here' | 'missing' | 'changed' | 'unreadable' | 'ships';
  readonly problem?: string;
  /** The version of the trust root that pinned this file under this name, as far as versions are stored here. */
  readonly since?: number;
  /** Where it comes from and of when, for what ships. */
  readonly source?: string;
  /** All that is needed in it counts until then. */
  readonly until?: Time;
  readonly standing?: Standing;
  readonly parts: readonly (DatedPart & { readonly standing: Standing })[];
};

/** The pins of the newest of these versions. @param history ascending, of what is stored here */
export function viewPins(layout: DataLayout, history: readonly TrustRoot[], floor: Time): PinView[] {
  const steps = pinHistory(history);
  return [...(history.at(-1)?.releases ?? [])].map(([name, pin]) => {
    const since = steps.findLast((step) => step.name === name)?.version ?? history[0]?.version;
    const told = { name, ...pin, ...(since === undefined ? {} : { since }) };
    try {
      return { ...told, file: 'here', ...viewDates(pin.kind, readPinnedFile(layout, name, pin), floor) };
    } catch (cause) {
      if (!(cause instanceof DaemonEyeError)) throw cause;
      return { ...told, file: fileOf(cause), problem: cause.message, parts: [] };
    }
  });
}

function fileOf(cause: DaemonEyeError): PinView['file'] {
  if (!(cause instanceof InstallError)) return 'unreadable';
  return cause.code === 'PIN_MISSING' ? 'missing' : 'changed';
}

/** @throws ReleaseError as `pinnedParts` */
export function viewDates(
  kind: PinKind,
  bytes: Uint8Array,
  floor: Time,
): Pick<PinView, 'until' | 'standing' | 'parts'> {
  const parts = pinnedParts(kind, bytes).map((part) => ({ ...part, standing: standingOf(part, floor) }));
  if (parts.length === 0) return { parts };
  const until = countsUntil(parts);
  const span = until === undefined ? {} : { end: until };
  return { parts, standing: standingOf(span, floor), ...(until === undefined ? {} : { until }) };
}

const FILE_WORDS: Readonly<Record<PinView['file'], string>> = {
  here: 'here',
  missing: 'MISSING: no trust bundle brought it',
  changed: 'CHANGED: not the pinned file',
  unreadable: 'UNREADABLE: not what it is pinned as',
  ships: 'ships with this program',
};

const STANDING_WORDS: Readonly<Record<Standing, string>> = {
  counts: '',
  'ends-soon': '  ENDS SOON',
  ended: '  ENDED',
  'begins-later': '  begins after the time floor',
};

/** A pin for people; everything in the file is from outside. */
export function renderPin({ name, kind, sha256, file, since, source, until, standing, parts }: PinView): string {
  const pinned = since === undefined ? '' : `, pinned since version ${since} of the trust root`;
  const all = standing === undefined ? '' : `  counts until ${until ?? 'no known end'}${STANDING_WORDS[standing]}`;
  const lines = parts.map(({ what, name: whose, start, end, standing: at }) => {
    const span = `${start ?? 'ever'} to ${end ?? 'no end'}`;
    return `    ${what} ${escapeForTerminal(whose)}  ${span}${STANDING_WORDS[at]}`;
  });
  return [
    `${name}  ${kind}  sha256:${sha256}`,
    `  ${FILE_WORDS[file]}${source === undefined ? '' : `: ${source}`}${pinned}`,
    ...(all === '' ? [] : [all]),
    ...lines,
  ].join('\n');
}

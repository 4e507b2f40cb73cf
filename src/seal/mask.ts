import { decodeUtf8 } from '../core/bytes.ts';

/**
 * What of arguments and environment may stand in a log line: the program, the shape, the names of options; never a
 * character of a value. A mask depends on a value only through its kind (a path, a number, …), whatever the value is.
 *
 * Which arguments are values can't be known in general, so everything is one unless it has the plain form of an option.
 * What stays indistinguishable: a value that looks like `--lower-case-words` or `-x` and follows nothing that asks for
 * a secret. Programs that read such a secret positionally would take it for an option themselves.
 */

/** Any value of which nothing is said. */
const VALUE = '<…>';
/** Characters of a mask; the event contract allows this many. */
const MAX_MASK = 8192;
/** Room for " … +N". */
const MARK_ROOM = 24;

const LONG_OPTION = /^--([a-z]{2,16}(?:-[a-z]{1,16}){0,4})(=.*)?$/s;
const SHORT_OPTION = /^-([A-Za-z])(.*)$/s;
/** Options whose argument is a value even if it looks like an option. */
const ASKS_FOR_SECRET = /pass|pwd|secret|token|key|auth|cred|user|login|cookie|header|pin|salt|seed|private/;
const SHORT_ASKS_FOR_SECRET = /[puPUHkKb]/;

const KINDS: readonly (readonly [RegExp, string])[] = [
  [/^$/, '<empty>'],
  [/^[A-Za-z][A-Za-z0-9+.-]*:\/\//, '<url>'],
  [/^[+-]?[0-9]+(?:\.[0-9]+)?$/, '<number>'],
  [/^[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?::[0-9]+)?$/, '<address>'],
  [/^[A-Za-z_][A-Za-z0-9_]*=/, '<assignment>'],
  [/^[^\s]*\/[^\s]*$/, '<path>'],
];
/** Schemes that may be shown: which one it is, is shape. */
const SHOWN_SCHEME = /^(https?|ftps?|sftp|ssh|git|wss?|ldaps?|smb):\/\//i;

/**
 * `curl -s -H <…> https://<…>`.
 * @param args each argument's bytes, the program's own name first
 * @param known names under which the line shows the program anyway: of its file and of its process. Only if the base
 *   name of the first argument is among them it is shown, since a process may call itself what it likes.
 */
export function maskArguments(args: readonly Uint8Array[], known: readonly string[]): string {
  const [program, ...rest] = args;
  if (program === undefined) return '';
  let onlyValues = false;
  let wantsValue = false;
  const words = rest.map((argument) => {
    const text = readText(argument);
    if (text === undefined) {
      wantsValue = false;
      return VALUE;
    }
    if (onlyValues || wantsValue) {
      wantsValue = false;
      return kindOf(text);
    }
    if (text === '--') onlyValues = true;
    const option = maskOption(text);
    wantsValue = option?.wantsValue ?? false;
    return option?.word ?? kindOf(text);
  });
  return join([programName(program, known), ...words]);
}

/** `PATH HOME LANG <…>`: names, and only what looks like one. */
export function maskEnvironment(entries: readonly Uint8Array[]): string {
  return join(entries.map((entry) => /^([A-Za-z_][A-Za-z0-9_]{0,63})=/.exec(readText(entry) ?? '')?.[1] ?? VALUE));
}

type Option = { readonly word: string; readonly wantsValue: boolean };

function maskOption(text: string): Option | undefined {
  if (text === '-' || text === '--') return { word: text, wantsValue: false };
  const [, name, attached] = LONG_OPTION.exec(text) ?? [];
  if (name !== undefined) {
    if (attached !== undefined) return { word: `--${name}=${VALUE}`, wantsValue: false };
    return { word: `--${name}`, wantsValue: ASKS_FOR_SECRET.test(name) };
  }
  const [, letter, value] = SHORT_OPTION.exec(text) ?? [];
  if (letter === undefined) return undefined;
  // `-la` may be two flags, and `-pla` one with a secret: nothing tells them apart.
  if (value !== '') return { word: `-${letter}${VALUE}`, wantsValue: false };
  return { word: `-${letter}`, wantsValue: SHORT_ASKS_FOR_SECRET.test(letter) };
}

function kindOf(text: string): string {
  const scheme = SHOWN_SCHEME.exec(text)?.[1];
  if (scheme !== undefined) return `${scheme.toLowerCase()}://${VALUE}`;
  return KINDS.find(([pattern]) => pattern.test(text))?.[1] ?? VALUE;
}

/** Base name, with the dash of a login shell; names of processes are cut off after 15 bytes by the kernel. */
function programName(argument: Uint8Array, known: readonly string[]): string {
  const text = readText(argument) ?? '';
  const dash = text.startsWith('-') ? '-' : '';
  const base = text.slice(text.lastIndexOf('/') + 1).replace(/^-/, '');
  const plain = /^[A-Za-z0-9_.+-]{1,64}$/.test(base);
  return plain && known.includes(base) ? dash + base : '<program>';
}

function readText(bytes: Uint8Array): string | undefined {
  try {
    return decodeUtf8(bytes);
  } catch {
    return undefined;
  }
}

function join(words: readonly string[]): string {
  let mask = '';
  for (const [i, word] of words.entries()) {
    const next = i === 0 ? word : `${mask} ${word}`;
    if (next.length > MAX_MASK - MARK_ROOM) return `${mask} … +${words.length - i}`;
    mask = next;
  }
  return mask;
}

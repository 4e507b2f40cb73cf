import { messageOf } from '../../../core/errors.ts';
import { escapeForTerminal } from '../../../core/terminal-text.ts';
import type { Time } from '../../../core/time.ts';
import { malformedAs, readText } from '../text.ts';
import { MAX_SIGNERS_BYTES } from './format.ts';
import { parseKeyWords } from './public-key.ts';
import { parseValidity } from './validity.ts';

/** One line of an allowed signers file (ssh-keygen(1), "ALLOWED SIGNERS"). */
export type AllowedSigner = {
  /** Counted from 1, for sentences. */
  readonly line: number;
  /** A list of patterns. */
  readonly principals: string;
  readonly keyType: string;
  readonly blob: Uint8Array;
  readonly isAuthority: boolean;
  /** A list of patterns; absent: any namespace. */
  readonly namespaces?: string;
  readonly validAfter?: Time;
  readonly validBefore?: Time;
};

type Options = Pick<AllowedSigner, 'isAuthority' | 'namespaces' | 'validAfter' | 'validBefore'>;

const bad = malformedAs('SSH_SIGNERS_MALFORMED', 'not a list of allowed signers');
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;
/** `name` or `name="value"`, then a comma or the end. */
const OPTION = /^([A-Za-z-]+)(?:="([^"\\]*)")?(,|$)/;

/**
 * Parses a list of allowed signers. OpenSSH skips lines that it can't read; here one such line refuses the list: a
 * misspelt `valid-before` must not go unnoticed.
 * @throws ReleaseError SSH_SIGNERS_MALFORMED or MATERIAL_TOO_LARGE
 */
export function parseAllowedSigners(bytes: Uint8Array): AllowedSigner[] {
  const signers = readText(bytes, MAX_SIGNERS_BYTES, bad)
    .split('\n')
    .flatMap((line, i) => parseLine(line, i + 1) ?? []);
  if (signers.length === 0) throw bad('it names nobody');
  return signers;
}

function parseLine(line: string, number: number): AllowedSigner | undefined {
  const text = line.replace(/^[ \t]+|[ \t]+$/g, '');
  if (text === '' || text.startsWith('#')) return undefined;
  const malformed = (problem: string) => bad(`line ${number}: ${problem}`);
  const { principals, rest } = takePrincipals(text, malformed);
  const words = splitWords(rest);
  const [first = '', second = '', third] = words;
  // Options come before the key; a key type is followed by base64.
  const hasOptions = !isKey(first, second);
  const [type, base64] = hasOptions ? [second, third] : [first, second];
  if (base64 === undefined || !isKey(type, base64)) throw malformed('there is no key after the principals');
  const options = hasOptions ? parseOptions(first, malformed) : { isAuthority: false };
  try {
    return { line: number, principals, keyType: type, blob: parseKeyWords(type, base64), ...options };
  } catch (cause) {
    throw malformed(messageOf(cause));
  }
}

function isKey(type: string, base64: string): boolean {
  return /^[a-z0-9@.-]+$/.test(type) && BASE64.test(base64) && base64.startsWith('AAAA');
}

function takePrincipals(text: string, malformed: (problem: string) => Error): { principals: string; rest: string } {
  const [, quoted, plain, rest = ''] = /^(?:"([^"]*)"|([^\s"]+))[ \t]+(.*)$/.exec(text) ?? [];
  const principals = quoted ?? plain;
  if (principals === undefined) throw malformed('it does not start with principals');
  if (principals.split(',').some((pattern) => pattern.replace(/^!/, '') === ''))
    throw malformed('a principal is empty');
  return { principals, rest };
}

/** At white space, except inside double quotes. */
function splitWords(text: string): string[] {
  return text.match(/(?:[^\s"]|"[^"]*"?)+/g) ?? [];
}

function parseOptions(text: string, malformed: (problem: string) => Error): Options {
  const found = new Map<string, string | undefined>();
  for (let rest = text; rest !== ''; ) {
    const [whole = '', name = '', value, end] = OPTION.exec(rest) ?? [];
    if (whole === '' || (end === ',' && whole.length === rest.length)) throw malformed('its options are malformed');
    // As OpenSSH: option names in any case, each once.
    const key = name.toLowerCase();
    if (found.has(key)) throw malformed(`the option ${key} stands twice`);
    const takesValue = key !== 'cert-authority';
    if (!OPTION_NAMES.includes(key)) throw malformed(`the option "${escapeForTerminal(name)}" is unknown`);
    if ((value !== undefined) !== takesValue)
      throw malformed(`the option ${key} ${takesValue ? 'needs' : 'takes no'} value`);
    found.set(key, value);
    rest = rest.slice(whole.length);
  }
  return readOptions(found, malformed);
}

const OPTION_NAMES: readonly string[] = ['cert-authority', 'namespaces', 'valid-after', 'valid-before'];

function readOptions(found: ReadonlyMap<string, string | undefined>, malformed: (problem: string) => Error): Options {
  const namespaces = found.get('namespaces');
  if (namespaces?.split(',').some((pattern) => pattern.replace(/^!/, '') === ''))
    throw malformed('a namespace is empty');
  const moment = (bound: 'after' | 'before') => {
    const text = found.get(`valid-${bound}`);
    const time = text === undefined ? undefined : parseValidity(text, bound);
    if (text !== undefined && time === undefined) {
      throw malformed(`valid-${bound}="${escapeForTerminal(text)}" is no time such as 20270131Z or 20270131235959Z`);
    }
    return time;
  };
  const [validAfter, validBefore] = [moment('after'), moment('before')];
  if (validAfter !== undefined && validBefore !== undefined && validAfter >= validBefore) {
    throw malformed('its validity ends before it starts');
  }
  return {
    isAuthority: found.has('cert-authority'),
    ...(namespaces === undefined ? {} : { namespaces }),
    ...(validAfter === undefined ? {} : { validAfter }),
    ...(validBefore === undefined ? {} : { validBefore }),
  };
}

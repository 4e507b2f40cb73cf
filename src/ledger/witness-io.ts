import { generateKeyPairSync } from 'node:crypto';
import { existsSync, lstatSync, readdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { decodeUtf8, encodeBase64, encodeHex, parseBase64, utf8 } from '../core/bytes.ts';
import { checkpointNoteType } from '../core/checkpoint.ts';
import { cosign, verifyCosignatures } from '../core/cosignature.ts';
import { sha256 } from '../core/digest.ts';
import { messageOf } from '../core/errors.ts';
import { encodeCanonicalJson } from '../core/jcs.ts';
import { formatPrivateKey, isSameKey, type PrivateKey, type PublicKey, parsePrivateKey } from '../core/keys.ts';
import { encodeNote, isNoteName, noteKeyId, parseNote } from '../core/signed-note.ts';
import { escapeForTerminal } from '../core/terminal-text.ts';
import { parseTime, type Time } from '../core/time.ts';
import { durableErrorFrom } from '../durable/errors.ts';
import { createDirectoryDurably, renameDurably, temporaryName, writeFileDurably } from '../durable/files-io.ts';
import { acquireLock, type Lock } from '../durable/lock-io.ts';
import type { LogIdentity } from './cosigned.ts';
import { firstEpoch, keyOfHead } from './epochs.ts';
import { LedgerError } from './errors.ts';
import { type Genesis, parseGenesis } from './genesis.ts';
import { verifyHead } from './heads.ts';
import { epochsFromLines, rotationLines } from './rotation.ts';
import { judgeRequest, type WatchedLog, type WitnessJudgement } from './witness-judgement.ts';
import { damaged, readParsed, readState, STATE_VERSION } from './witness-state-io.ts';

/**
 * A witness on disk, apart from any log:
 *
 *     witness.json          {name, v}
 *     witness.key.pem       its own key; witness.pub.pem beside it
 *     logs/<origin>.json    {genesis, rotations?, seen, v}; the name is the SHA-256 of the origin
 *     conflicts/<…>.request what a log signed against what was seen
 *     lock
 */
const WITNESS_FILE = 'witness.json';
const KEY_FILE = 'witness.key.pem';
export const WITNESS_PUBLIC_KEY_FILE = 'witness.pub.pem';
const LOGS = 'logs';
const CONFLICTS = 'conflicts';
const MAX_KEY_BYTES = 64 * 1024;

/**
 * Makes a witness with a key of its own. The directory (0700) appears whole or not at all.
 * @param name what it signs as, a host name or the like: no spaces, no plus
 * @throws LedgerError WITNESS_EXISTS or WITNESS_NAME; DurableError
 */
export function createWitness(directory: string, name: string): PublicKey {
  if (!isNoteName(name)) throw notAName(name);
  if (lstatSync(directory, { throwIfNoEntry: false }) !== undefined) {
    const message = `${escapeForTerminal(directory)} exists already and is left alone; choose another directory`;
    throw new LedgerError('WITNESS_EXISTS', message);
  }
  const { privateKey } = generateKeyPairSync('ed25519');
  const pem = formatPrivateKey(privateKey);
  const { publicKey } = parsePrivateKey(pem);
  createDirectoryDurably(dirname(directory));
  const temporary = temporaryName(directory);
  try {
    for (const part of ['', LOGS, CONFLICTS]) createDirectoryDurably(join(temporary, part));
    writeFileDurably(join(temporary, KEY_FILE), utf8(pem));
    writeFileDurably(join(temporary, WITNESS_PUBLIC_KEY_FILE), utf8(publicKey.pem), { mode: 0o644 });
    writeFileDurably(join(temporary, WITNESS_FILE), encodeCanonicalJson({ v: STATE_VERSION, name }));
    renameDurably(temporary, directory);
  } catch (cause) {
    rmSync(temporary, { recursive: true, force: true });
    throw cause;
  }
  return publicKey;
}

function notAName(name: string): LedgerError {
  const message = `"${escapeForTerminal(name)}" can't name a witness: it is empty or has a space or a plus in it`;
  return new LedgerError('WITNESS_NAME', message, { fault: 'usage' });
}

/** A witness, held by one process at a time: two would each cosign what the other has not seen. */
export class Witness implements Disposable {
  readonly name: string;
  readonly #directory: string;
  readonly #key: PrivateKey;
  readonly #lock: Lock;

  private constructor(directory: string, name: string, key: PrivateKey, lock: Lock) {
    this.#directory = directory;
    this.name = name;
    this.#key = key;
    this.#lock = lock;
  }

  /** @throws LedgerError WITNESS_NOT_FOUND or WITNESS_STATE; DurableError LOCKED and others */
  static open(directory: string): Witness {
    if (!existsSync(join(directory, WITNESS_FILE))) {
      const message = `there is no witness in ${escapeForTerminal(directory)}; make one with "ledger witness init"`;
      throw new LedgerError('WITNESS_NOT_FOUND', message);
    }
    const lock = acquireLock(join(directory, 'lock'));
    try {
      const { name } = readState(join(directory, WITNESS_FILE), ['name']);
      const key = readParsed(join(directory, KEY_FILE), MAX_KEY_BYTES, (bytes) => parsePrivateKey(decodeUtf8(bytes)));
      if (typeof name !== 'string' || !isNoteName(name)) throw damaged(WITNESS_FILE, 'it names no witness');
      return new Witness(directory, name, key, lock);
    } catch (cause) {
      lock.release();
      throw cause;
    }
  }

  get key(): PublicKey {
    return this.#key.publicKey;
  }

  /** Every log it watches, by origin. @throws LedgerError WITNESS_STATE; DurableError */
  logs(): WatchedLog[] {
    const names = list(join(this.#directory, LOGS)).filter((name) => /^[0-9a-f]{64}\.json$/.test(name));
    const logs = names.map((name) => this.#read(join(this.#directory, LOGS, name)));
    return logs.sort((a, b) => (a.genesis.origin < b.genesis.origin ? -1 : 1));
  }

  /**
   * Begins to watch a log.
   * @param fingerprint digest of its genesis, known by another way than the file: it stands for origin, hash and key
   * @throws LedgerError GENESIS_MALFORMED, GENESIS_SIGNATURE, WITNESS_FINGERPRINT or WITNESS_LOG_KNOWN; DurableError
   */
  watch(genesisBytes: Uint8Array, fingerprint: string): Genesis {
    const genesis = parseGenesis(genesisBytes);
    if (genesis.digest !== fingerprint) {
      const message = `the fingerprint of this genesis is ${genesis.digest}, not ${escapeForTerminal(fingerprint)}; ask who runs the log`;
      throw new LedgerError('WITNESS_FINGERPRINT', message, { fault: 'untrusted' });
    }
    const known = this.#find(genesis.origin);
    if (known !== undefined) {
      const which = known.genesis.digest === genesis.digest ? 'this very log' : `another one, ${known.genesis.digest}`;
      const message = `a log ${escapeForTerminal(genesis.origin)} is watched already: ${which}; nothing was changed`;
      throw new LedgerError('WITNESS_LOG_KNOWN', message, { fault: 'refused' });
    }
    this.#write(genesisBytes, { genesis, epochs: firstEpoch(genesis) }, null);
    return genesis;
  }

  /**
   * Judges a request and, if it extends what was seen, cosigns it. What was cosigned is remembered durably before it is
   * handed out. A request that contradicts what was seen is kept in conflicts/.
   * @param now the clock of this machine
   * @returns the report, and the cosigned checkpoint if it is trusted
   * @throws LedgerError WITNESS_STATE; DurableError
   */
  cosign(request: Uint8Array, now: Time): WitnessJudgement & { readonly cosigned?: Uint8Array } {
    // Own state that is damaged is no verdict on the log.
    const troubles: unknown[] = [];
    const find = (origin: string): WatchedLog | undefined => {
      try {
        return this.#find(origin);
      } catch (cause) {
        troubles.push(cause);
        return undefined;
      }
    };
    const judgement = judgeRequest(request, find, now);
    if (troubles.length > 0) throw troubles[0];
    const { accepted, isConflict } = judgement;
    if (isConflict) this.#keepConflict(request);
    if (accepted === undefined) return judgement;
    const { genesis } = accepted.log;
    const { epochs, checkpoint } = accepted;
    const note = parseNote(accepted.note);
    // Of the signatures that came along only the log's was checked, so only that one goes on.
    const key = keyOfHead(epochs, checkpoint.size);
    const id = encodeHex(noteKeyId(genesis.origin, checkpointNoteType(genesis.hash), key));
    const own = note.signatures.filter((line) => line.name === genesis.origin && encodeHex(line.id) === id).slice(0, 1);
    const cosigned = encodeNote(
      cosign({ text: note.text, signatures: own }, this.name, this.#key, genesis.hash, parseTime(now)),
    );
    this.#write(this.#genesisBytes(genesis.origin), { genesis, epochs }, decodeUtf8(cosigned));
    return { ...judgement, cosigned };
  }

  [Symbol.dispose](): void {
    this.#lock.release();
  }

  #file(origin: string): string {
    return join(this.#directory, LOGS, `${encodeHex(sha256(utf8(origin)))}.json`);
  }

  #find(origin: string): WatchedLog | undefined {
    const path = this.#file(origin);
    if (!existsSync(path)) return undefined;
    const log = this.#read(path);
    if (log.genesis.origin !== origin) throw damaged(path, 'it is about another log');
    return log;
  }

  #genesisBytes(origin: string): Uint8Array {
    const { genesis } = readState(this.#file(origin), ['genesis', 'seen'], ['rotations']);
    return parseBase64(String(genesis));
  }

  #read(path: string): WatchedLog {
    const { genesis: encoded, rotations = [], seen } = readState(path, ['genesis', 'seen'], ['rotations']);
    try {
      const genesis = parseGenesis(parseBase64(String(encoded)));
      if (!Array.isArray(rotations)) throw damaged(path, 'its rotations are no list');
      const epochs = epochsFromLines(rotations.map(String), genesis);
      if (seen === null) return { genesis, epochs, seen: undefined };
      const note = utf8(String(seen));
      const checkpoint = verifyHead(note, genesis, epochs);
      const [cosignature] = verifyCosignatures(parseNote(note), [this.key], genesis.hash);
      if (cosignature === undefined || !isSameKey(cosignature.key, this.key)) {
        throw damaged(path, 'this witness did not cosign what it holds');
      }
      return { genesis, epochs, seen: { checkpoint, note, cosignature } };
    } catch (cause) {
      throw cause instanceof LedgerError && cause.code === 'WITNESS_STATE'
        ? cause
        : damaged(path, messageOf(cause), cause);
    }
  }

  #write(genesisBytes: Uint8Array, { genesis, epochs }: LogIdentity, seen: string | null): void {
    const rotations = rotationLines(epochs);
    const changes = rotations.length === 0 ? {} : { rotations };
    const state = { v: STATE_VERSION, genesis: encodeBase64(genesisBytes), ...changes, seen };
    writeFileDurably(this.#file(genesis.origin), encodeCanonicalJson(state));
  }

  #keepConflict(request: Uint8Array): void {
    const path = join(this.#directory, CONFLICTS, `${encodeHex(sha256(request)).slice(0, 32)}.request`);
    if (!existsSync(path)) writeFileDurably(path, request);
  }
}

function list(directory: string): string[] {
  try {
    return readdirSync(directory).sort();
  } catch (cause) {
    throw durableErrorFrom(cause, 'list', directory);
  }
}

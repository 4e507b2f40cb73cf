import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BundleError } from '../../src/bundle/errors.ts';
import { type BundleStatement, encodeStatement, parseStatement } from '../../src/bundle/statement.ts';
import { decodeUtf8, utf8 } from '../../src/core/bytes.ts';
import { encodeCanonicalJson } from '../../src/core/jcs.ts';
import { expectCode } from '../support/expect-code.ts';
import { runs } from '../support/slow.ts';

const HEX = 'ab'.repeat(32);
const STATEMENT: BundleStatement = {
  kind: 'rules',
  channel: 'rules/linux-baseline',
  seq: 7,
  prev: `sha256:${HEX}`,
  audience: ['site-7'],
  issuedAt: '2027-01-01T00:00:00.000Z',
  expires: '2027-02-01T00:00:00.000Z',
  builder: { name: 'daemoneye', version: '0.1.0' },
  requires: { daemoneye: '1.2.3', root: 2 },
  critical: ['x-later'],
  index: { sha256: HEX, size: 100, lines: 2 },
  bytes: 12,
};

/** The statement's JSON with one thing changed. */
function changed(change: (json: Record<string, unknown> & { predicate: Record<string, unknown> }) => void): Uint8Array {
  const json = JSON.parse(decodeUtf8(encodeStatement(STATEMENT)));
  change(json);
  return encodeCanonicalJson(json);
}

/** The statement with one field of its predicate changed, undefined to drop it. */
function predicate(fields: { readonly [name: string]: unknown }): Uint8Array {
  return changed((json) => Object.assign(json.predicate, fields));
}

describe('statement', () => {
  it('is an in-toto Statement v1 with one subject, in canonical form', () => {
    expect(decodeUtf8(encodeStatement(STATEMENT))).toBe(
      `{"_type":"https://in-toto.io/Statement/v1","predicate":{"audience":["site-7"],"builder":{"name":"daemoneye","version":"0.1.0"},"bytes":12,"channel":"rules/linux-baseline","critical":["x-later"],"expires":"2027-02-01T00:00:00.000Z","index":{"lines":2,"size":100},"issuedAt":"2027-01-01T00:00:00.000Z","kind":"rules","prev":"sha256:${HEX}","requires":{"daemoneye":"1.2.3","root":2},"seq":7},"predicateType":"urn:daemoneye:bundle:v1","subject":[{"digest":{"sha256":"${HEX}"},"name":"index.jsonl"}]}`,
    );
  });

  it('comes back as it was', () => {
    expect(parseStatement(encodeStatement(STATEMENT))).toEqual(STATEMENT);
    const { expires: _, ...first } = { ...STATEMENT, seq: 1, prev: null, audience: [], critical: [], requires: {} };
    expect(parseStatement(encodeStatement(first))).toEqual(first);
  });

  it.each(['a', 'rules', 'a/b/c/d', '0', 'x.y-z', `${'a'.repeat(63)}/b`])('accepts the channel %j', (channel) => {
    expect(parseStatement(predicate({ channel })).channel).toBe(channel);
  });

  it.each([
    ['a channel in upper case', { channel: 'Rules' }],
    ['an empty channel', { channel: '' }],
    ['a channel that climbs', { channel: 'rules/..' }],
    ['a channel with dots in a row', { channel: 'rules/a..b' }],
    ['a channel with an empty segment', { channel: 'rules//a' }],
    ['a channel that starts with a slash', { channel: '/rules' }],
    ['a channel of five segments', { channel: 'a/b/c/d/e' }],
    ['a segment of 64', { channel: 'a'.repeat(64) }],
    ['a channel that starts with a dash', { channel: '-rules' }],
    ['a channel that Windows takes for a device', { channel: 'rules/con' }],
    ['a channel that Windows cuts', { channel: 'rules/a.' }],
    ['a channel with a newline at its end', { channel: 'rules\n' }],
    ['seq 0', { seq: 0 }],
    ['a seq that is text', { seq: '7' }],
    ['a seq beyond 2^53', { seq: Number.MAX_SAFE_INTEGER + 1 }],
    ['seq 1 with a predecessor', { seq: 1 }],
    ['seq 7 without one', { prev: null }],
    ['a prev of another hash', { prev: `blake3:${HEX}` }],
    ['a prev in upper case', { prev: `sha256:${HEX.toUpperCase()}` }],
    ['no prev', { prev: undefined }],
    ['an audience that is no name', { audience: ['Site 7'] }],
    ['an audience named twice', { audience: ['a', 'a'] }],
    ['a time without milliseconds', { issuedAt: '2027-01-01T00:00:00Z' }],
    ['a day that does not exist', { issuedAt: '2027-02-31T00:00:00.000Z' }],
    ['expiry at the moment of issue', { expires: STATEMENT.issuedAt }],
    ['expiry before issue', { expires: '2026-12-31T23:59:59.999Z' }],
    ['an unknown field', { extra: 1 }],
    ['an unknown requirement', { requires: { moon: 'full' } }],
    ['a version range', { requires: { daemoneye: '>=1.0.0' } }],
    ['a version with a leading zero', { requires: { daemoneye: '1.02.0' } }],
    ['root version 0', { requires: { root: 0 } }],
    ['a builder with an escape sequence', { builder: { name: '\x1b[2J', version: '1' } }],
    ['an index over the cap', { index: { size: 256 * 1024 * 1024 + 1, lines: 1 } }],
    ['a negative index', { index: { size: -1, lines: 1 } }],
    ['negative bytes', { bytes: -1 }],
    ['no kind', { kind: undefined }],
    ['a kind that is no text', { kind: 5 }],
  ])('STATEMENT_MALFORMED: %s', (_what, fields) => {
    const bytes = 'seq' in fields && Number(fields.seq) > Number.MAX_SAFE_INTEGER ? raw('9007199254740993') : undefined;
    expectCode(() => parseStatement(bytes ?? predicate(fields)), 'STATEMENT_MALFORMED');
  });

  function raw(seq: string): Uint8Array {
    return utf8(decodeUtf8(encodeStatement(STATEMENT)).replace('"seq":7', `"seq":${seq}`));
  }

  it.each([
    ['no subject', changed((json) => Object.assign(json, { subject: [] }))],
    [
      'two subjects',
      changed((json) =>
        Object.assign(json, { subject: [...(json['subject'] as unknown[]), ...(json['subject'] as unknown[])] }),
      ),
    ],
    [
      'a subject of another name',
      changed((json) => Object.assign(json, { subject: [{ name: 'other', digest: { sha256: HEX } }] })),
    ],
    [
      'a weaker digest beside',
      changed((json) =>
        Object.assign(json, { subject: [{ name: 'index.jsonl', digest: { sha256: HEX, md5: 'ab'.repeat(16) } }] }),
      ),
    ],
    ['another statement type', changed((json) => Object.assign(json, { _type: 'https://in-toto.io/Statement/v0.1' }))],
    ['another predicate', changed((json) => Object.assign(json, { predicateType: 'https://slsa.dev/provenance/v1' }))],
    ['white space', utf8(`${decodeUtf8(encodeStatement(STATEMENT))}\n`)],
    ['a duplicate key', utf8(decodeUtf8(encodeStatement(STATEMENT)).replace('"seq":7', '"seq":6,"seq":7'))],
    ['not JSON', utf8('index.jsonl')],
    ['nothing', new Uint8Array()],
    ['an array', utf8('[]')],
  ])('STATEMENT_MALFORMED: %s', (_what, payload) => {
    expectCode(() => parseStatement(payload), 'STATEMENT_MALFORMED');
  });

  it('KIND_UNKNOWN: a kind of a later version, whatever else is new about it', () => {
    expectCode(() => parseStatement(predicate({ kind: 'evidence' })), 'KIND_UNKNOWN');
    expectCode(() => parseStatement(predicate({ kind: 'firmware', extra: 1, seq: 0 })), 'KIND_UNKNOWN');
    expectCode(() => parseStatement(predicate({ kind: 'Rules' })), 'KIND_UNKNOWN');
  });

  it('every refusal is one of trust', () => {
    const thrown = [predicate({ seq: 0 }), predicate({ kind: 'x\x1b[2J' })].map((payload) => {
      try {
        return parseStatement(payload);
      } catch (error) {
        return error;
      }
    });
    for (const error of thrown) expect(error).toMatchObject({ fault: 'untrusted' });
    expect(String(thrown[1])).not.toContain('\x1b');
  });

  it('any bytes are a statement of ours or a coded error', () => {
    const original = encodeStatement(STATEMENT);
    const change = fc.record({ at: fc.nat(original.length - 1), value: fc.nat(255) });
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 2 }), (changes) => {
        const payload = new Uint8Array(original);
        for (const { at, value } of changes) payload[at] = value;
        let statement: BundleStatement;
        try {
          statement = parseStatement(payload);
        } catch (error) {
          expect(error).toBeInstanceOf(BundleError);
          return;
        }
        expect(encodeStatement(statement)).toEqual(payload);
      }),
      { numRuns: runs(1000, 100_000) },
    );
  });
});

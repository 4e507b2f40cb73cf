import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { maskArguments, maskEnvironment } from '../../src/seal/mask.ts';
import { runs } from '../support/slow.ts';

const mask = (line: string, known = ['curl', 'mysql', 'bash', 'ls', 'ssh']) =>
  maskArguments(
    line.split(' ').map((word) => Buffer.from(word)),
    known,
  );

describe('the mask of arguments', () => {
  it.each([
    ['curl -s -H Authorization:Bearer https://user:pw@host/x', 'curl -s -H <…> https://<…>'],
    ['/usr/bin/curl --silent --password=hunter2', 'curl --silent --password=<…>'],
    ['mysql -pSECRET -u root', 'mysql -p<…> -u <…>'],
    ['mysql --password --looks-like-a-flag', 'mysql --password <…>'],
    ['ls -la /etc /home/anna', 'ls -l<…> <path> <path>'],
    ['-bash', '-bash'],
    ['ssh -p 22 10.0.0.1 -- --secret', 'ssh -p <number> <address> -- <…>'],
    ['curl -9 -1.5 TOKEN=abc', 'curl <number> <number> <assignment>'],
    ['curl postgres://u:p@h/db', 'curl <url>'],
    ['curl --Hunter2 --has-d1git --', 'curl <…> <…> --'],
  ])('of %s', (line, expected) => {
    expect(mask(line)).toBe(expected);
  });

  it('shows no program name but one that the line has anyway', () => {
    expect(mask('hunter2 x')).toBe('<program> <…>');
    expect(mask('postgres: anna secretdb 10.0.0.1', ['postgres'])).toBe('<program> <…> <…> <address>');
    expect(mask('/tmp/curl\u001b[2J', ['curl\u001b[2J'])).toBe('<program>');
  });

  it('of nothing, of an empty argument, and of bytes that are no text', () => {
    expect(maskArguments([], [])).toBe('');
    expect(maskArguments([Buffer.from('ls'), Buffer.from(''), Buffer.from([0xff, 0xfe])], ['ls'])).toBe(
      'ls <empty> <…>',
    );
  });

  it('says how much it left out of a very long line, and fits into the contract', () => {
    const long = maskArguments(
      Array.from({ length: 5000 }, () => Buffer.from('/x')),
      [],
    );
    expect(long.length).toBeLessThanOrEqual(8192);
    expect(long).toMatch(/ … \+[0-9]+$/);
  });

  // The property that counts: with any other value in its place, the mask is the same, so it can't tell the value.
  const secret = fc
    .string({ unit: 'binary', minLength: 1, maxLength: 60 })
    .filter((text) => text.isWellFormed() && !/^[-+0-9]/.test(text) && !/[=/\0]/.test(text) && !text.includes('://'));
  const places: readonly ((value: string) => readonly string[])[] = [
    (value) => ['curl', value],
    (value) => ['curl', '-s', value, '--silent'],
    (value) => ['curl', `--password=${value}`],
    (value) => ['curl', '--password', value],
    (value) => ['curl', '--', value],
    (value) => ['curl', `-p${value}`],
    (value) => ['curl', `https://${value}@host/`],
    (value) => ['curl', `/home/${value.replace(/\s/g, '_')}`],
    (value) => ['curl', `TOKEN=${value}`],
    (value) => [value, 'x'],
  ];

  it.each(places.map((place, i) => [i, place] as const))('is the same for any two secrets (place %i)', (_, place) => {
    const of = (value: string) =>
      maskArguments(
        place(value).map((word) => Buffer.from(word)),
        ['curl'],
      );
    fc.assert(
      fc.property(secret, secret, (one, other) => {
        expect(of(one)).toBe(of(other));
      }),
      { numRuns: runs(150, 5000) },
    );
  });

  it('has no four characters of a secret in it', () => {
    const password = fc.string({
      unit: fc.constantFrom(...'ABCDEFGHJKMNQRSTVWXYZ0123456789!#%&ßé'),
      minLength: 4,
      maxLength: 40,
    });
    const at = fc.nat(places.length - 1);
    fc.assert(
      fc.property(password, at, (value, place) => {
        const masked = maskArguments(
          (places[place] ?? (() => []))(value).map((word) => Buffer.from(word)),
          ['curl'],
        );
        for (let i = 0; i + 4 <= value.length; i += 1) expect(masked).not.toContain(value.slice(i, i + 4));
      }),
      { numRuns: runs(300, 20_000) },
    );
  });

  it('masks after an option that asks for a secret, whatever the value looks like', () => {
    for (const option of ['--password', '--token', '--api-key', '--user', '-p', '-u', '-H']) {
      expect(mask(`curl ${option} --lower-case`)).toBe(`curl ${option} <…>`);
      expect(mask(`curl ${option} -x`)).toBe(`curl ${option} <…>`);
    }
  });
});

describe('the mask of an environment', () => {
  it('has names, and only what looks like one', () => {
    const entries = [
      'PATH=/bin',
      'http_proxy=x',
      '=odd',
      'no equals sign',
      'BAD-NAME=1',
      'EMPTY=',
      `${'A'.repeat(65)}=1`,
    ];
    expect(maskEnvironment(entries.map((entry) => Buffer.from(entry)))).toBe('PATH http_proxy <…> <…> <…> EMPTY <…>');
  });

  it('never has a value', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (one, other) => {
        const of = (value: string) => maskEnvironment([Buffer.from(`TOKEN=${value}`)]);
        expect(of(one)).toBe(of(other));
      }),
      { numRuns: runs(200, 2000) },
    );
  });
});

import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { boundedText, encodeMedia, type Medium, mountOf, parseMedium, unescapeUdev } from '../../src/bundle/medium.ts';
import { MediaSeen, mediumOf, type SystemPlaces } from '../../src/bundle/medium-io.ts';
import { packBundle } from '../../src/bundle/pack-io.ts';
import { assertReadsBack } from '../../src/bundle/read-back-io.ts';
import { mediumText } from '../../src/cli/render/medium.ts';
import { validateEvent } from '../../src/core/event.ts';
import { expectError, inside, jsonOf, ROOT } from '../support/cli.ts';
import { expectCode, expectCodeAsync } from '../support/expect-code.ts';
import { tempDirectory } from '../support/temp.ts';
import { readWhole } from './sample.ts';

const MOUNTS = [
  '27 1 254:0 / / rw,relatime - ext4 /dev/vda rw',
  '22 27 0:21 / /proc rw - proc proc rw',
  '40 27 8:17 / /media/us\\040er rw,nosuid shared:9 - vfat /dev/sdb1 rw',
  '41 27 8:33 / /media/us\\040er/in rw - exfat /dev/sdc1 rw',
  '42 27 0:50 / /media/us\\040er/in rw - tmpfs tmpfs rw',
  'a line that nobody understands',
  '',
].join('\n');

describe('the mount a file lies on', () => {
  it.each([
    ['/etc/passwd', '254:0'],
    ['/media/us er', '8:17'],
    ['/media/us er/x.tar', '8:17'],
    ['/media/us error/x.tar', '254:0'],
    ['/media/us er/in/x.tar', '0:50'],
  ])('of %s has the device %s', (path, device) => {
    expect(mountOf(MOUNTS, path)?.device).toBe(device);
  });

  it('is not made up', () => {
    expect(mountOf('', '/x')).toBeUndefined();
    expect(mountOf('nonsense - ', '/x')).toBeUndefined();
  });
});

/** A tree as Linux shows a USB stick behind a hub, with a file on it. */
function stick(files: Readonly<Record<string, string>>) {
  const root = tempDirectory();
  const at = (path: string) => join(root, path);
  const put = (path: string, text: string) => {
    mkdirSync(dirname(at(path)), { recursive: true });
    writeFileSync(at(path), text);
  };
  const usb = 'sys/devices/pci0000:00/usb1/1-2';
  const disk = `${usb}/1-2:1.0/host6/target6:0:0/6:0:0:0/block/sdb`;
  put('sys/devices/pci0000:00/usb1/idVendor', '1d6b\n');
  put('sys/devices/pci0000:00/usb1/serial', '0000:00:14.0\n');
  put(`${usb}/idVendor`, '0781\n');
  put(`${disk}/removable`, '1\n');
  put(`${disk}/sdb1/partition`, '1\n');
  put('dev/sdb1', '');
  put('dev/sdc1', '');
  mkdirSync(at('sys/dev/block'), { recursive: true });
  symlinkSync(`../../../${disk}/sdb1`, at('sys/dev/block/8:17'));
  for (const by of ['by-uuid', 'by-label']) mkdirSync(at(`dev/disk/${by}`), { recursive: true });
  symlinkSync('../../sdc1', at('dev/disk/by-uuid/0000-0000'));
  symlinkSync('../../sdb1', at('dev/disk/by-uuid/1A2B-3C4D'));
  symlinkSync('../../sdb1', at('dev/disk/by-label/PLANT\\x207'));
  put('media/x.tar', 'x');
  put('proc/self/mountinfo', `40 27 8:17 / ${at('media')} rw - vfat /dev/sdb1 rw\n`);
  for (const [path, text] of Object.entries(files)) put(path.replace('USB', usb).replace('DISK', disk), text);
  const places: SystemPlaces = { proc: at('proc'), sys: at('sys'), dev: at('dev') };
  return { at, places, medium: () => mediumOf(at('media/x.tar'), places) };
}

describe('what is told of a medium', () => {
  it('is its serial number, label and UUID, as the system has them', () => {
    const { medium, at } = stick({ 'USB/serial': '4C530001\n' });
    expect(medium()).toEqual({
      mountPoint: at('media'),
      fileSystem: 'vfat',
      removable: true,
      device: 'sdb1',
      serial: '4C530001',
      uuid: '1A2B-3C4D',
      label: 'PLANT 7',
    });
  });

  it('is no number of a hub, where the stick has none', () => {
    expect(stick({}).medium()).not.toHaveProperty('serial');
  });

  it('is the number of the disk itself where that has one, cut to a line', () => {
    const { serial } = stick({ 'USB/serial': 'usb', 'DISK/serial': 'x'.repeat(999) }).medium() ?? {};
    expect(serial).toBe(`${'x'.repeat(127)}…`);
    expect(stick({ 'USB/serial': 'usb', 'DISK/device/serial': 'nvme' }).medium()?.serial).toBe('nvme');
  });

  it('is the number of the stick under an encrypted file system, and the label of that', () => {
    const { at, places } = stick({ 'USB/serial': '4C530001' });
    const mapped = at('sys/devices/virtual/block/dm-0');
    mkdirSync(join(mapped, 'slaves'), { recursive: true });
    symlinkSync(at('sys/dev/block/8:17'), join(mapped, 'slaves', 'sdb1'));
    symlinkSync(mapped, at('sys/dev/block/253:0'));
    writeFileSync(at('dev/dm-0'), '');
    symlinkSync('../../dm-0', at('dev/disk/by-label/VAULT'));
    writeFileSync(at('proc/self/mountinfo'), `40 27 253:0 / ${at('media')} rw - ext4 /dev/mapper/vault rw\n`);
    const medium = () => mediumOf(at('media/x.tar'), places);
    expect(medium()).toMatchObject({ device: 'dm-0', removable: true, serial: '4C530001', label: 'VAULT' });
    // Of two discs that make up one, neither is the one.
    mkdirSync(join(mapped, 'slaves', 'sdc'));
    expect(medium()).not.toHaveProperty('serial');
    // A ring is no disc.
    const ring = at('sys/devices/virtual/block/dm-1');
    mkdirSync(join(ring, 'slaves'), { recursive: true });
    symlinkSync(ring, join(ring, 'slaves', 'dm-1'));
    symlinkSync(ring, at('sys/dev/block/253:1'));
    writeFileSync(at('proc/self/mountinfo'), `40 27 253:1 / ${at('media')} rw - ext4 /dev/mapper/ring rw\n`);
    expect(medium()).toEqual({ mountPoint: at('media'), fileSystem: 'ext4', device: 'dm-1' });
  });

  it.each([
    ['an escape sequence', '\x1b]0;owned\x07', '\\x1b]0;owned\\x07'],
    ['a second line', 'A1\nserial B2', 'A1\\x0aserial B2'],
    ['text that runs backwards', '\u202e1000', '\\u{202e}1000'],
    ['nothing that is drawn', '\u200b', '\\u{200b}'],
    ['one character too many', 'x'.repeat(129), `${'x'.repeat(127)}…`],
    ['a character that is cut in two', `${'x'.repeat(126)}😀😀`, `${'x'.repeat(126)}\ufffd…`],
    ['escapes that make it longer', '\x1b'.repeat(126), `${'\\x1b'.repeat(31)}\\x1…`],
  ])('is harmless: %s', (_, hostile, told) => {
    expect(boundedText(hostile)).toBe(told);
    expect(stick({ 'USB/serial': `${hostile}\n` }).medium()?.serial).toBe(told);
    const text = mediumText({ mountPoint: '/m', fileSystem: 'vfat', label: hostile });
    expect(text).toMatch(/^[\x20-\x7eé…\ufffd😀]+$/u);
  });

  it.each(['', '\n', ' \t '])('a serial number of %j is none', (serial) => {
    expect(stick({ 'USB/serial': serial }).medium()).not.toHaveProperty('serial');
  });

  it('can not pass for another fact', () => {
    const label = 'x, serial 4C530001"';
    const text = mediumText({ mountPoint: '/m', fileSystem: 'vfat', label });
    expect(text).toBe('vfat at /m, no serial number, label "x, serial 4C530001\\x22"');
  });

  it('is each medium once, and nothing of the disk that the system is on', () => {
    const seen = new MediaSeen();
    for (const path of ['/', '/proc/self/status', '/proc/version', '/no/such/file']) seen.note(path);
    if (process.platform === 'linux') expect(seen.media).toMatchObject([{ mountPoint: '/proc', fileSystem: 'proc' }]);
    else expect(seen.media).toEqual([]);
  });

  it('is nothing where the system says nothing', () => {
    const { at, places } = stick({});
    expect(mediumOf(at('media/gone.tar'), places)).toBeUndefined();
    expect(mediumOf(at('media/x.tar'), { ...places, proc: at('nowhere') })).toBeUndefined();
    expect(mediumOf(at('media/x.tar'), { ...places, sys: at('nowhere') })).toEqual({
      mountPoint: at('media'),
      fileSystem: 'vfat',
    });
  });

  it('reads names as udev writes them, and leaves others alone', () => {
    expect(unescapeUdev('a\\x2fb\\xc3\\xa4')).toBe('a/bä');
    expect(unescapeUdev('\\xff')).toBe('\\xff');
  });
});

describe('what a log says of media', () => {
  const nonce = 'a'.repeat(32);
  const stickOf = (n: number, facts: Partial<Medium> = {}): Medium => ({
    mountPoint: `/media/${n}`,
    fileSystem: 'vfat',
    ...facts,
  });

  it('is what was met, and that one has no serial number', () => {
    const media = [stickOf(1, { device: 'sdb1', removable: true, serial: 'A', uuid: 'u', label: 'l' }), stickOf(2)];
    const data = encodeMedia(media);
    expect(data.media?.map(({ serial }) => serial)).toEqual(['A', null]);
    expect(validateEvent('receipt.issued', { nonce, ...data })).toEqual({ nonce, ...data });
    expect(data.media?.map(parseMedium)).toEqual(media);
    expect(encodeMedia([])).toEqual({});
  });

  it('fits into a line, whatever the devices say, and what does not is counted', () => {
    const most = { serial: boundedText('ä'.repeat(999)) ?? '', label: boundedText('\x1b'.repeat(999)) ?? '' };
    for (const [media, told] of [
      [Array.from({ length: 70 }, (_, i) => stickOf(i, { serial: 'A' })), 64],
      [
        Array.from({ length: 70 }, (_, i) => stickOf(i, { ...most, uuid: most.serial, device: most.serial })),
        undefined,
      ],
    ] as const) {
      const data = encodeMedia(media);
      expect(validateEvent('receipt.issued', { nonce, ...data })).toBeTruthy();
      expect(JSON.stringify(data).length).toBeLessThan(30_000);
      expect((data.media?.length ?? 0) + (data.media_omitted ?? 0)).toBe(70);
      expect(data.media?.length).toBeGreaterThan(15);
      if (told !== undefined) expect(data.media).toHaveLength(told);
    }
  });

  it.each(['\x1b', 'a\nb', '\u202e', '', 'x'.repeat(129)])('is not %j as it came', (serial) => {
    const media = [{ mount_point: '/m', file_system: 'vfat', serial }];
    expectCode(() => validateEvent('receipt.issued', { nonce, media }), 'SCHEMA_MISMATCH');
  });
});

const SAMPLE = join(ROOT, 'bundles/samples/linux-baseline-1.bundle');

type Listed = {
  readonly channels: readonly { readonly active: { readonly media?: readonly Medium[] } }[];
  readonly openReceipts: number;
};
type Receipt = { readonly written: readonly { readonly readBack: string; readonly medium?: Medium }[] };

/** An ext4 file system in a file, mounted; undefined where that can't be done. */
function mountedStick(): { readonly directory: string; readonly again: (...options: string[]) => void } | undefined {
  const place = tempDirectory();
  const [image, directory] = [join(place, 'image'), join(place, 'mnt')];
  mkdirSync(directory);
  writeFileSync(image, '');
  truncateSync(image, 16 * 1024 * 1024);
  const run = (command: string, ...args: string[]) => execFileSync(command, args, { stdio: 'pipe', encoding: 'utf8' });
  let device: string;
  try {
    run('mkfs.ext4', '-q', image);
    // Attached once: one that a mount attaches by itself may still be there when the next one wants another.
    device = run('losetup', '--find', '--show', image).trim();
  } catch {
    return undefined;
  }
  onTestFinished(() => void run('losetup', '--detach', device));
  try {
    run('mount', device, directory);
  } catch {
    return undefined;
  }
  onTestFinished(() => void run('umount', directory));
  return {
    directory,
    again: (...options) => {
      run('umount', directory);
      run('mount', '-o', options.join(','), device, directory);
    },
  };
}

describe('a bundle on a mounted medium', () => {
  it('is read again past the cache, and read where nothing can be written', async ({ skip }) => {
    const stick = mountedStick() ?? skip('a mounted file system needs root, and loop devices');
    const out = join(stick.directory, 'b.tar');
    const ran = await inside(['bundle', 'pack', SAMPLE, '--out', out, '--json']);
    expect(jsonOf(ran, 'bundle-pack')).toMatchObject({
      readBack: 'medium',
      medium: { mountPoint: stick.directory, fileSystem: 'ext4' },
    });
    expect(ran.stderr).toContain('Safe to remove once it is unmounted.');
    const split = ['bundle', 'split', SAMPLE, '--size', '200K', '--out', join(stick.directory, 'v'), '--json'];
    expect(jsonOf(await inside(split), 'bundle-split')).toMatchObject({ readBack: 'medium' });

    stick.again('ro');
    for (const args of [
      ['bundle', 'inspect', out],
      ['bundle', 'volumes', `${join(stick.directory, 'v')}.001`],
      ['bundle', 'verify', out, '--trust', join(ROOT, 'bundles/samples/root')],
    ]) {
      const read = await inside(args);
      expect(read.code, `${args.join(' ')}: ${read.stderr}`).toBe(0);
    }
    const data = join(tempDirectory(), 'data');
    const root = join(ROOT, 'bundles/samples/root/1.root.dsse.json');
    const shown = await inside(['trust', 'show', root, '--json']);
    const { fingerprint } = JSON.parse(shown.stdout) as { fingerprint: string };
    for (const args of [
      ['init'],
      ['trust', 'pin', root, '--fingerprint', fingerprint],
      ['bundle', 'apply', out, '--yes'],
    ]) {
      const done = await inside([...args, '--data', data]);
      expect(done.code, `${args.join(' ')}: ${done.stderr}`).toBe(0);
    }
    const came = { mountPoint: stick.directory, fileSystem: 'ext4' };
    const listed = await inside(['bundle', 'list', '--data', data, '--json']);
    expect(jsonOf<Listed>(listed, 'bundle-list').channels[0]?.active.media).toMatchObject([came]);
    const text = (await inside(['bundle', 'list', '--data', data])).stdout;
    expect(text).toContain(`came on ext4 at ${stick.directory}, device loop`);
    expect(text).toContain('no serial number');

    stick.again('rw');
    const receipt = join(stick.directory, 'receipt.json');
    const written = await inside(['bundle', 'receipt', '--out', receipt, '--data', data, '--json']);
    expect(jsonOf<Receipt>(written, 'bundle-receipt').written).toMatchObject([{ readBack: 'medium', medium: came }]);
    expect(written.stderr).toContain('Safe to remove once it is unmounted.');
    const lines = readFileSync(join(data, 'logs/install/entries/000000000000.ndjson'), 'utf8').trimEnd().split('\n');
    const [last] = lines.map((line) => JSON.parse(line) as { data: object }).slice(-1);
    const carried = { mount_point: stick.directory, file_system: 'ext4', serial: null };
    expect(last).toMatchObject({ type: 'receipt.issued', data: { media: [carried] } });

    stick.again('ro');
    const refused = await inside(['bundle', 'receipt', '--out', `${receipt}.2`, '--data', data]);
    expectError(refused, 'READ_ONLY', 1);
    // Nothing was spent on it.
    const after = await inside(['bundle', 'list', '--data', data, '--json']);
    expect(jsonOf<Listed>(after, 'bundle-list').openReceipts).toBe(1);
  });

  it('OUTPUT_SPACE: a receipt, before it is issued', async ({ skip }) => {
    const stick = mountedStick() ?? skip('a mounted file system needs root, and loop devices');
    const data = join(tempDirectory(), 'data');
    const root = join(ROOT, 'bundles/samples/root/1.root.dsse.json');
    const { fingerprint } = JSON.parse((await inside(['trust', 'show', root, '--json'])).stdout) as {
      fingerprint: string;
    };
    await inside(['init', '--data', data]);
    expect((await inside(['trust', 'pin', root, '--fingerprint', fingerprint, '--data', data])).code).toBe(0);
    try {
      writeFileSync(join(stick.directory, 'full'), Buffer.alloc(32 * 1024 * 1024));
    } catch {
      // As full as it gets.
    }
    const ran = await inside(['bundle', 'receipt', '--out', join(stick.directory, 'r.json'), '--data', data]);
    expectError(ran, 'OUTPUT_SPACE', 1);
    expect(ran.stderr).not.toContain('Safe');
    const listed = await inside(['bundle', 'list', '--data', data, '--json']);
    expect(jsonOf<Listed>(listed, 'bundle-list').openReceipts).toBe(0);
  });

  it('PACK_MISMATCH: the medium has other bytes than the cache', async ({ skip }) => {
    const stick = mountedStick() ?? skip('a mounted file system needs root, and loop devices');
    const path = join(stick.directory, 'x');
    writeFileSync(path, Buffer.alloc(1024 * 1024 + 5, 'what was written'), { flush: true });
    const digest = execFileSync('sha256sum', [path], { encoding: 'utf8' }).slice(0, 64);
    expect(await assertReadsBack(path, path, digest)).toBe('medium');
    // Into the image, under the mounted file system: what a faulty stick does.
    const image = join(dirname(stick.directory), 'image');
    const bytes = readFileSync(image);
    const at = bytes.indexOf('what was written');
    expect(at).toBeGreaterThan(0);
    const device = execFileSync('findmnt', ['-n', '-o', 'SOURCE', stick.directory], { encoding: 'utf8' }).trim();
    execFileSync('dd', [`of=${device}`, 'bs=1', `seek=${at}`, 'conv=notrunc'], { input: 'X', stdio: 'pipe' });
    execFileSync('sync', [device]);
    expect(readFileSync(path).subarray(0, 4).toString()).toBe('what');
    await expectCodeAsync(assertReadsBack(path, path, digest), 'PACK_MISMATCH');
  });

  it('is told as read from the cache where the system has no other way', async ({ skip }) => {
    if (process.platform !== 'linux') skip('the file system under /proc is Linux');
    const digest = execFileSync('sha256sum', ['/proc/version'], { encoding: 'utf8' }).slice(0, 64);
    expect(await assertReadsBack('/proc/version', '/proc/version', digest)).toBe('cache');
  });
});

describe('a bundle nobody may write to', () => {
  it('is read all the same', async () => {
    const directory = tempDirectory();
    const { sha256 } = await packBundle(SAMPLE, join(directory, 'b.tar'));
    expect(sha256).toMatch(/^[0-9a-f]{64}$/);
    execFileSync('chmod', ['-R', 'a-w', directory]);
    onTestFinished(() => void execFileSync('chmod', ['-R', 'u+w', directory]));
    await readWhole(join(directory, 'b.tar'));
  });
});

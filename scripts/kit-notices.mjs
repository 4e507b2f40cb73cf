// The texts that a kit carries beside the program: whose work is in it and on what terms, and how to run it.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const LICENCE_FILE = /^(?:licen[cs]e|copying|notice)/i;
const RULE = '-'.repeat(80);
/** The LGPL asks for the GPL's text beside its own, for the library's source, and that the library can be exchanged. */
const LESSER = /^LGPL-3/;
const GPL = 'scripts/gpl-3.0.txt';

/**
 * The licences of packages, one after the other, as their authors wrote them.
 * @param {string} root the folder that the paths of `packages` are in
 * @param {readonly string[]} packages such as `node_modules/tar`
 * @returns {{text: string, without: string[]}} the packages `without` a licence text name their licence only
 */
export function licences(root, packages) {
  const without = [];
  let isLesser = false;
  const parts = packages.map((path) => {
    const folder = join(root, path);
    const { name, version, license, author, homepage, repository } = JSON.parse(
      readFileSync(join(folder, 'package.json'), 'utf8'),
    );
    const files = readdirSync(folder)
      .filter((file) => LICENCE_FILE.test(file))
      .sort();
    if (files.length === 0) without.push(name);
    const by = typeof author === 'string' ? author : author?.name;
    const texts =
      files.length === 0
        ? [`Its package has no licence text. It names ${license}${by === undefined ? '' : `, by ${by}`}.`]
        : files.map((file) => readFileSync(join(folder, file), 'utf8').trim());
    const source = homepage === undefined ? '' : `\n${homepage}`;
    if (LESSER.test(license)) {
      isLesser = true;
      texts.unshift(exchangeable({ name, version, path, source: repository?.url }));
    }
    return `${RULE}\n${name} ${version}: ${license}${source}\n${RULE}\n\n${texts.join('\n\n')}\n`;
  });
  if (isLesser) parts.push(`${RULE}\n${readFileSync(join(root, GPL), 'utf8').trim()}\n`);
  const head = `DaemonEye itself: see LICENSE. What this kit brings along for it, ${packages.length} packages:\n`;
  return { text: [head, ...parts].join('\n'), without };
}

function exchangeable({ name, version, path, source }) {
  return `${name} is a work of its own in files of its own under ${path}, as its authors published them. The program loads
it from there: put another version of it in their place and that one is used. Its source is version ${version} of
${source}. The GNU General Public License, which its licence refers to, is at the end.`;
}

/** @param {{version: string, platform: string}} kit */
export function howToRun({ version, platform }) {
  return `DaemonEye ${version} for ${platform}

Everything it needs lies in this folder: no Node.js, no npm, no network. It runs from wherever the folder is, and writes
nothing into it. On Linux it needs the GNU C library, 2.28 or later (Debian 10, RHEL 8), and the tools sh, uname and
readlink. Over a medium that keeps no permissions, carry it packed: tar -cf kit.tar FOLDER.

  sha256sum --quiet -c SHA256SUMS    all files arrived as they left
  ./tour                             the whole loop on this machine, in a temporary folder; no root needed
  bin/daemoneye --help               the commands

  bin/daemoneye bundle verify bundles/samples/linux-baseline-2.bundle.tar --trust bundles/samples/root

The sums tell a damaged copy from a whole one. They are no signature: whoever can change a file can change its sum.

LICENSE is the licence of DaemonEye, THIRD-PARTY-LICENSES.txt those of what it brings along. README.md is about the
project as a whole; what it says about npm does not concern this folder.
`;
}

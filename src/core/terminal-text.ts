// C0, DEL, C1; zero-width and bidirectional controls, line and paragraph separators, BOM, tags; lone surrogates.
// Each of them can hide, reorder or forge what a person reads on a terminal (CVE-2021-42574 and kin).
const UNSAFE =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: finding control characters is the point
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e007f}]|\p{Surrogate}/gu;

/**
 * Makes text from anywhere safe to print on one line of a terminal: what could move the cursor, change colours,
 * reorder or hide text becomes a visible `\xNN` or `\u{N}`. Backslashes stay, so this is for reading, not for parsing.
 */
export function escapeForTerminal(text: string): string {
  return text.replace(UNSAFE, (character) => {
    const code = character.codePointAt(0) ?? 0;
    const hex = code.toString(16);
    return code < 0x100 ? `\\x${hex.padStart(2, '0')}` : `\\u{${hex}}`;
  });
}

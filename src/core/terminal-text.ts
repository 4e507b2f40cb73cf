// Controls (C0, DEL, C1), formats (zero width, bidirectional, BOM, tags), lone surrogates, line and paragraph separators,
// the narrow no-break space, and whatever else is not drawn (fillers, variation selectors).
// Each of them can hide, reorder or forge what a person reads on a terminal (CVE-2021-42574 and kin).
const UNSAFE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\u202f\p{Default_Ignorable_Code_Point}]/gu;

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

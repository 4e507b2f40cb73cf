import type { ResolvedSetting } from '../../config/layers.ts';
import type { SettingValue } from '../../config/settings.ts';
import { escapeForTerminal } from '../../core/terminal-text.ts';
import { settingValue } from './diff.ts';
import type { Style } from './style.ts';
import { hangingText, padDisplay } from './text.ts';

/** Every setting with what it is and who says so. */
export function renderSettings(resolved: readonly ResolvedSetting[], style: Style): string[] {
  const column = Math.max(...resolved.map(({ name }) => name.length));
  return resolved.map(({ name, value, layer, source, signedOnly }) => {
    const from = source === undefined ? layer : `${layer}: ${escapeForTerminal(source)}`;
    const facts = style.tone('muted', `(${from}${signedOnly ? '; signed only' : ''})`);
    return hangingText(`${padDisplay(name, column)}  `, `${settingText(value)}  ${facts}`, style.width);
  });
}

export function settingText(value: SettingValue): string {
  const shown = settingValue(value);
  const text = Array.isArray(shown) ? shown.join(', ') : String(shown);
  return text === '' ? 'none' : escapeForTerminal(text);
}

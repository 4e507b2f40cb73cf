import { SETTING_NAMES, type SettingName, type SettingValue, type SomeSettings } from './settings.ts';

/** One setting that differs; absent on the side that doesn't set it. */
export type SettingChange = {
  readonly name: SettingName;
  readonly before?: SettingValue;
  readonly after?: SettingValue;
};

export function diffSettings(before: SomeSettings, after: SomeSettings): readonly SettingChange[] {
  return SETTING_NAMES.filter((name) => JSON.stringify(before[name]) !== JSON.stringify(after[name])).map((name) => {
    const [old, now] = [before[name], after[name]];
    return { name, ...(old === undefined ? {} : { before: old }), ...(now === undefined ? {} : { after: now }) };
  });
}

/**
 * What this build calls itself. A constant and not read from package.json, so that `core` stays free of files and
 * `--version` stays fast; a test keeps `version` equal to package.json's.
 *
 * `builtAt` is the tool build time of the time floor (docs/formats.md, "Freshness"): no document this build accepts as
 * current can have expired before it. It moves with each release.
 */
export const RELEASE = { name: 'daemoneye', version: '0.1.0', builtAt: '2026-11-22T00:00:00.000Z' } as const;

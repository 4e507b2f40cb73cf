import { DaemonEyeError } from '../core/errors.ts';

export type ConfigErrorCode =
  | 'CONFIG_TOO_LARGE'
  /** Not YAML of the plain kind that settings are written in. */
  | 'CONFIG_YAML'
  /** Not of the shape of schemas/config.schema.json: an unknown setting, or a value that it can't have. */
  | 'CONFIG_SCHEMA'
  | 'CONFIG_ENVIRONMENT'
  /** A place that may not set this: only a verified bundle of kind config may. */
  | 'CONFIG_SIGNED_ONLY'
  /** A file that strangers can write. */
  | 'CONFIG_WRITABLE'
  | 'CONFIG_UNREADABLE'
  /** A bundle of kind config that holds something else than its one file of settings. */
  | 'CONFIG_FILES'
  | 'CONFIG_EMPTY';

/** Anything `src/config` refuses. */
export class ConfigError extends DaemonEyeError<ConfigErrorCode> {}

import { registerHooks } from 'node:module';
import sqlite, { DatabaseSync } from 'node:sqlite';

/**
 * Gives up node:sqlite, for good and for every module of this process: what it exports is emptied, and importing it by
 * any way is refused. SQLite is native: Node's permission model doesn't bind it, and it opens any file the user can, for
 * writing too. The ledger's lock needs it, once: so procmond opens its log first, and closes this door before it looks at
 * anything that others control. The lock stays held. Why no other lock will do: docs/decisions/0008.
 */
export function closeNativeDoors(): void {
  // A database in use would still lead to its class.
  Reflect.deleteProperty(DatabaseSync.prototype, 'constructor');
  for (const name of Object.keys(sqlite)) Reflect.deleteProperty(sqlite, name);
  registerHooks({
    resolve: (specifier, context, next) => {
      const resolved = next(specifier, context);
      if (resolved.url === 'node:sqlite') throw new TypeError('procmond has given up node:sqlite');
      return resolved;
    },
  });
}

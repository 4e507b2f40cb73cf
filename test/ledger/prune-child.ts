import type { Order, PruneOrder } from '../../src/ledger/orders.ts';
import { pruneLedger } from '../../src/ledger/prune-io.ts';
import { systemSurroundings } from '../../src/ledger/surroundings-io.ts';
import { pruneSealed } from '../../src/seal/prune-io.ts';
import { testKey } from '../support/keys.ts';

// Prunes the log named on the command line by the approval that follows, for a test that kills it.
const [directory = '', approval = '', sealed = ''] = process.argv.slice(2);
await pruneLedger({
  directory,
  key: testKey('log'),
  approval: JSON.parse(approval) as Order<PruneOrder>,
  minimumAge: 0,
  dropSealed: (before, dropped) => pruneSealed(sealed, before, dropped),
  ...systemSurroundings(),
});

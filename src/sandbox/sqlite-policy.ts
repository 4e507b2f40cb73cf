import { constants } from 'node:sqlite';
import { escapeForTerminal } from '../core/terminal-text.ts';

/**
 * What a statement may do, decided at SQLite's own compile step: everything that is not listed here is refused.
 * (https://www.sqlite.org/c3ref/set_authorizer.html, https://www.sqlite.org/security.html)
 */

/**
 * Pure, bounded functions. Left out on purpose: load_extension, readfile and kin; randomness and clocks (an answer must
 * be the same tomorrow); printf, format, zeroblob and randomblob (memory from a few characters); everything of FTS,
 * R*Tree, JSON tables and the introspection of SQLite itself; regexp, match and soundex, for want of a linear-time engine.
 */
const FUNCTIONS: ReadonlySet<string> = new Set(
  [
    'abs ceil ceiling char coalesce concat concat_ws floor glob hex if ifnull iif instr length like lower ltrim max min',
    'nullif octet_length replace round rtrim sign substr substring trim trunc typeof unhex unicode upper',
    'likelihood likely unlikely',
    'avg count group_concat string_agg sum total',
    'cume_dist dense_rank first_value lag last_value lead nth_value ntile percent_rank rank row_number',
  ]
    .join(' ')
    .split(' '),
);

/**
 * Opcodes of read-only programs (https://www.sqlite.org/opcode.html). Insert, Delete, IdxInsert, IdxDelete and NewRowid
 * appear on ephemeral tables (sorting, recursion); a write to the database would need OpenWrite, which is not here.
 * Neither are Vacuum, which the authorizer is never asked about and which writes any file (VACUUM INTO), and the
 * virtual table opcodes (VOpen, VFilter, …): a module is native code reading what it likes.
 */
const OPCODES: ReadonlySet<string> = new Set(
  [
    'Init Goto Gosub Return InitCoroutine EndCoroutine Yield Halt HaltIfNull BeginSubrtn Noop Explain Once Trace',
    'Integer Int64 Real String String8 Null SoftNull Blob Move Copy SCopy IntCopy ResultRow Affinity RealAffinity Cast',
    'Concat Add Subtract Multiply Divide Remainder BitAnd BitOr BitNot ShiftLeft ShiftRight AddImm MustBeInt',
    'Eq Ne Lt Le Gt Ge ElseEq Permutation Compare Jump And Or Not IsTrue If IfNot IsNull IsType ZeroOrNull NotNull',
    'IfNullRow IfEmpty IfPos IfNotZero IfSizeBetween DecrJumpZero OffsetLimit CollSeq',
    'Transaction OpenRead ReopenIdx OpenEphemeral OpenAutoindex OpenDup OpenPseudo SorterOpen Close',
    'Column Rowid RowData SorterData Offset TypeCheck MakeRecord Count NullRow Sequence SequenceTest RowCell',
    'SeekLT SeekLE SeekGE SeekGT SeekRowid SeekScan SeekHit SeekEnd IfNotOpen IfNoHope NoConflict NotFound Found NotExists',
    'Last Sort SorterSort Rewind Next Prev SorterNext SorterCompare DeferredSeek FinishSeek IdxRowid',
    'IdxLT IdxLE IdxGT IdxGE NewRowid Insert Delete IdxInsert IdxDelete SorterInsert ResetSorter Clear',
    'RowSetAdd RowSetRead RowSetTest Filter FilterAdd Function PureFunc AggStep AggStep1 AggInverse AggValue AggFinal',
    'CursorHint CursorLock CursorUnlock ReleaseReg Abortable ClrSubtype GetSubtype SetSubtype',
  ]
    .join(' ')
    .split(' '),
);

/** One row of EXPLAIN. */
export type Instruction = {
  readonly opcode: string;
  readonly p1: number;
  readonly p2: number;
  readonly p3: number;
  readonly p5: number;
};

/** The main database among those of a connection; temp is 1, attached ones follow. */
const MAIN = 0;
/** OPFLAG_P2ISREG: the root page comes from a register, so it can't be judged. */
const P2_IS_REGISTER = 0x10;

/**
 * Judges a compiled program.
 * @param rootPages of the tables of the contract and their indexes: the schema table and the agent's own tables aren't
 * @returns why it is refused, or undefined
 */
export function refuseProgram(program: readonly Instruction[], rootPages: ReadonlySet<number>): string | undefined {
  for (const { opcode, p1, p2, p3, p5 } of program) {
    if (!OPCODES.has(opcode)) return `it compiles to ${escapeForTerminal(opcode)}, which no question may do`;
    if (opcode === 'Transaction' && (p1 !== MAIN || p2 !== 0)) return 'it is more than a read of the tables';
    if (opcode === 'OpenRead' || opcode === 'ReopenIdx') {
      if (p3 !== MAIN || (p5 & P2_IS_REGISTER) !== 0 || !rootPages.has(p2))
        return 'it opens a table that is not for it';
    }
  }
  return undefined;
}

/**
 * The authorizer of one statement: lets it read the columns of the contract and call listed functions, and remembers
 * what it read and what it was refused.
 */
export class StatementPolicy {
  readonly #relations: ReadonlyMap<string, ReadonlySet<string>>;
  readonly #reads = new Map<string, Set<string>>();
  #refusal: string | undefined;

  constructor(relations: ReadonlyMap<string, ReadonlySet<string>>) {
    this.#relations = relations;
  }

  /** What was refused first, in words. */
  get refusal(): string | undefined {
    return this.#refusal;
  }

  get reads(): { readonly [relation: string]: readonly string[] } {
    return Object.fromEntries([...this.#reads].map(([relation, columns]) => [relation, [...columns].sort()]));
  }

  /** For `setAuthorizer`; `view` is the view that the action comes from. */
  readonly authorize = (
    action: number,
    first: string | null,
    second: string | null,
    database: string | null,
    view: string | null,
  ): number => {
    const refusal = this.#judge(action, first ?? '', second ?? '', database, view);
    this.#refusal ??= refusal;
    return refusal === undefined ? constants.SQLITE_OK : constants.SQLITE_DENY;
  };

  #judge(
    action: number,
    first: string,
    second: string,
    database: string | null,
    view: string | null,
  ): string | undefined {
    switch (action) {
      case constants.SQLITE_SELECT:
      case constants.SQLITE_RECURSIVE:
        return undefined;
      case constants.SQLITE_FUNCTION:
        return FUNCTIONS.has(second.toLowerCase())
          ? undefined
          : `the function ${escapeForTerminal(second)} is not available`;
      case constants.SQLITE_READ:
        return this.#judgeRead(first, second, database, view);
      default:
        return 'only a SELECT over the tables of the contract is possible';
    }
  }

  #judgeRead(relation: string, column: string, database: string | null, view: string | null): string | undefined {
    const columns = this.#relations.get(relation.toLowerCase());
    // No column: rows are only counted. The relation may then be a common table expression, which has a name of its
    // own; were it a table after all, its root page gives it away in `refuseProgram`.
    if (columns === undefined && column === '' && database !== 'temp') return undefined;
    if (columns === undefined) return `there is no table ${escapeForTerminal(relation)} for it`;
    if (column !== '' && !columns.has(column)) {
      return `the column ${escapeForTerminal(column)} of ${escapeForTerminal(relation)} is not available`;
    }
    // A view reads all the columns it is made of, whichever were asked for: what was asked is noted under its name.
    if (view === null || !this.#relations.has(view)) this.#note(relation, column);
    return undefined;
  }

  #note(relation: string, column: string): void {
    const seen = this.#reads.get(relation) ?? new Set();
    if (column !== '') seen.add(column);
    this.#reads.set(relation, seen);
  }
}

/**
 * The syntax tree that DuckDB's json_serialize_sql gives, with null and empty parts left out: which keys each kind of
 * node may have and what lies under them. Anything that is not listed here is refused, so a part of SQL that this file
 * doesn't know (a new one, or one nobody needs, such as PIVOT, SAMPLE, AT and parameters) can't pass unlooked at.
 */

/** What lies under a key. */
export type Part =
  /** Flags, names and literal values: nothing that could name a table or a function. */
  | 'plain'
  | 'query'
  | 'relation'
  | 'expression'
  | 'expressions'
  /** Rows of VALUES. */
  | 'rows'
  /** `{node}`: a query in brackets. */
  | 'statement'
  | 'modifiers'
  /** ORDER BY inside a function call. */
  | 'modifier'
  | 'orders'
  | 'cases'
  | 'replacements'
  /** WITH. */
  | 'ctes'
  | 'castType'
  /** Judged by name, by the gate. */
  | 'named';

export type Shape = { readonly [key: string]: Part };
type Shapes = { readonly [kind: string]: Shape };

/** By `type`. */
export const QUERIES: Shapes = {
  SELECT_NODE: {
    modifiers: 'modifiers',
    cte_map: 'ctes',
    select_list: 'expressions',
    from_table: 'relation',
    where_clause: 'expression',
    group_expressions: 'expressions',
    group_sets: 'plain',
    aggregate_handling: 'plain',
    having: 'expression',
    qualify: 'expression',
  },
  SET_OPERATION_NODE: {
    modifiers: 'modifiers',
    cte_map: 'ctes',
    setop_type: 'plain',
    setop_all: 'plain',
    left: 'query',
    right: 'query',
  },
  RECURSIVE_CTE_NODE: {
    modifiers: 'modifiers',
    cte_map: 'ctes',
    cte_name: 'named',
    union_all: 'plain',
    left: 'query',
    right: 'query',
    aliases: 'plain',
    key_targets: 'expressions',
  },
};

/** By `type`; after FROM. */
export const RELATIONS: Shapes = {
  EMPTY: {},
  BASE_TABLE: { table_name: 'named', schema_name: 'named', catalog_name: 'named', column_name_alias: 'plain' },
  SUBQUERY: { subquery: 'statement', column_name_alias: 'plain' },
  JOIN: {
    left: 'relation',
    right: 'relation',
    condition: 'expression',
    join_type: 'plain',
    ref_type: 'plain',
    using_columns: 'plain',
    delim_flipped: 'plain',
  },
  TABLE_FUNCTION: { function: 'named', column_name_alias: 'plain', with_ordinality: 'plain' },
  EXPRESSION_LIST: { values: 'rows', expected_names: 'plain', column_name_alias: 'plain' },
};

/** By `class`. */
export const EXPRESSIONS: Shapes = {
  CONSTANT: { value: 'plain' },
  COLUMN_REF: { column_names: 'named' },
  POSITIONAL_REFERENCE: { index: 'plain' },
  STAR: {
    relation_name: 'plain',
    exclude_list: 'plain',
    qualified_exclude_list: 'plain',
    rename_list: 'plain',
    replace_list: 'replacements',
    columns: 'plain',
    expr: 'expression',
  },
  FUNCTION: {
    function_name: 'named',
    schema: 'named',
    catalog: 'named',
    children: 'expressions',
    filter: 'expression',
    order_bys: 'modifier',
    distinct: 'plain',
    is_operator: 'plain',
    export_state: 'plain',
  },
  WINDOW: {
    function_name: 'named',
    schema: 'named',
    catalog: 'named',
    children: 'expressions',
    partitions: 'expressions',
    orders: 'orders',
    arg_orders: 'orders',
    start: 'plain',
    end: 'plain',
    start_expr: 'expression',
    end_expr: 'expression',
    offset_expr: 'expression',
    default_expr: 'expression',
    filter_expr: 'expression',
    ignore_nulls: 'plain',
    exclude_clause: 'plain',
    distinct: 'plain',
  },
  LAMBDA: { lhs: 'expression', expr: 'expression', syntax_type: 'plain' },
  OPERATOR: { children: 'expressions' },
  CONJUNCTION: { children: 'expressions' },
  COMPARISON: { left: 'expression', right: 'expression' },
  BETWEEN: { input: 'expression', lower: 'expression', upper: 'expression' },
  CASE: { case_checks: 'cases', else_expr: 'expression' },
  CAST: { child: 'expression', cast_type: 'castType', try_cast: 'plain' },
  SUBQUERY: { subquery_type: 'plain', subquery: 'statement', child: 'expression', comparison_type: 'plain' },
};

/** By `type`: ORDER BY, LIMIT, DISTINCT. */
export const MODIFIERS: Shapes = {
  ORDER_MODIFIER: { orders: 'orders' },
  LIMIT_MODIFIER: { limit: 'expression', offset: 'expression' },
  LIMIT_PERCENT_MODIFIER: { limit: 'expression', offset: 'expression' },
  DISTINCT_MODIFIER: { distinct_on_targets: 'expressions' },
};

export const ORDER: Shape = { type: 'plain', null_order: 'plain', expression: 'expression' };
export const CASE_CHECK: Shape = { when_expr: 'expression', then_expr: 'expression' };
export const REPLACEMENT: Shape = { key: 'plain', value: 'expression' };
export const CTE: Shape = {
  aliases: 'plain',
  query: 'statement',
  materialized: 'plain',
  key_targets: 'expressions',
};

/** What every expression and relation may have beside its own. */
export const COMMON: Shape = { type: 'plain', class: 'plain', alias: 'plain', query_location: 'plain' };

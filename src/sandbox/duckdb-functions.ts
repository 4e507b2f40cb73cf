/**
 * The functions a question to DuckDB may call, by name in lower case. Pure and the same tomorrow: no files, settings,
 * catalogue, sequences, randomness, clocks, sleeping, logging or SQL in a text. What is merely dear (repeat, list_sort,
 * levenshtein) is in: the limits on the child stop it.
 */

const words = (...lines: readonly string[]): ReadonlySet<string> => new Set(lines.flatMap((line) => line.split(' ')));

/** In a SELECT list, a condition and everywhere else where a value stands. */
export const SCALAR_FUNCTIONS = words(
  // operators
  '+ - * / // % ** ^ || & | ~ << >> ~~ !~~ ~~* !~~* ~~~ ^@ -> ->> @> <@ && !__postfix',
  'like_escape not_like_escape ilike_escape not_ilike_escape',
  // numbers
  'abs ceil ceiling floor round trunc sign sqrt cbrt exp ln log log10 log2 pow power mod fmod fdiv greatest least',
  'gcd lcm even bit_count isfinite isnan isinf add subtract multiply divide xor pi radians degrees sin cos tan',
  // text
  'ascii bar char_length character_length chr concat concat_ws contains ends_with format_bytes formatreadablesize instr',
  'lcase left len length lower lpad ltrim octet_length ord position prefix printf format repeat replace reverse right',
  'rpad rtrim split split_part starts_with str_split string_split string_to_array strip_accents strlen strpos substr',
  'substring suffix translate trim ucase unicode upper nfc_normalize parse_filename parse_dirname parse_dirpath',
  'parse_path url_decode url_encode regexp_escape regexp_extract regexp_extract_all regexp_full_match regexp_matches',
  'regexp_replace regexp_split_to_array str_split_regex string_split_regex',
  'levenshtein editdist3 damerau_levenshtein hamming mismatches jaccard jaro_similarity jaro_winkler_similarity',
  // bytes
  'hex unhex to_hex from_hex base64 to_base64 from_base64 encode decode bin to_binary md5 sha1 sha256',
  // absence and types
  'coalesce ifnull nullif typeof',
  // time, of values without a time zone
  'epoch epoch_ms epoch_us epoch_ns make_date make_time make_timestamp make_timestamp_ms make_timestamp_ns strftime',
  'strptime try_strptime date_trunc datetrunc date_part datepart date_diff datediff date_sub datesub date_add',
  'time_bucket year month day hour minute second millisecond microsecond quarter week weekday isodow dayofweek',
  'dayofmonth dayofyear dayname monthname last_day to_years to_months to_weeks to_days to_hours to_minutes to_seconds',
  'to_milliseconds to_microseconds',
  // lists, structs, maps
  'list_value array_value list_pack list_extract list_element array_extract list_slice array_slice list_concat list_cat',
  'array_concat array_cat list_contains list_has array_contains array_has list_has_any list_has_all list_position',
  'list_indexof array_position array_length list_distinct list_unique array_distinct array_unique list_sort array_sort',
  'list_reverse_sort array_reverse_sort list_reverse array_reverse list_filter list_transform list_apply list_reduce',
  'array_filter array_transform array_apply array_reduce filter apply reduce flatten list_zip array_zip list_where',
  'list_select list_resize list_intersect list_append list_prepend array_append array_prepend array_to_string',
  'list_sum list_avg list_min list_max list_count list_string_agg list_any_value list_first list_last list_median',
  'range generate_series unnest generate_subscripts',
  'struct_pack struct_extract struct_extract_at struct_insert row map map_keys map_values map_entries map_extract',
  'map_extract_value map_contains map_from_entries map_concat element_at cardinality',
  // JSON, as it stands in lines.text
  'json json_extract json_extract_path json_extract_string json_extract_path_text json_value json_exists json_type',
  'json_valid json_keys json_array_length json_contains json_quote json_array json_object to_json json_pretty',
  'row_to_json array_to_json json_merge_patch',
);

/** Over groups, and with OVER. */
export const AGGREGATE_FUNCTIONS = words(
  'count count_star count_if countif sum fsum kahan_sum favg avg mean min max min_by max_by arg_min arg_max argmin argmax',
  'arg_min_null arg_max_null any_value arbitrary first last bool_and bool_or bit_and bit_or bit_xor product median mode',
  'mad quantile quantile_cont quantile_disc stddev stddev_pop stddev_samp variance var_pop var_samp entropy skewness',
  'kurtosis corr covar_pop covar_samp string_agg listagg group_concat list array_agg histogram',
  'json_group_array json_group_object',
);

/** With OVER only. */
export const WINDOW_FUNCTIONS = words(
  'row_number rank dense_rank rank_dense percent_rank cume_dist ntile lag lead first_value last_value nth_value fill',
);

/** After FROM. */
export const TABLE_FUNCTIONS = words('range generate_series unnest');

/**
 * Names that DuckDB takes for a function when no column is called so (`SELECT user`): clocks, and who is asking.
 */
export const COLUMN_LIKE_FUNCTIONS = words(
  'current_catalog current_date current_schema current_role current_time current_timestamp current_user localtime',
  'localtimestamp session_user user',
);

/** Types a value may be cast to. Not TIMESTAMP WITH TIME ZONE: it reads differently in another time zone. */
export const CAST_TYPES = words(
  'BOOLEAN TINYINT SMALLINT INTEGER BIGINT HUGEINT UTINYINT USMALLINT UINTEGER UBIGINT UHUGEINT INTEGER_LITERAL',
  'FLOAT DOUBLE DECIMAL VARCHAR CHAR BLOB BIT DATE TIME TIMESTAMP TIMESTAMP_S TIMESTAMP_MS TIMESTAMP_NS INTERVAL UUID',
  'LIST ARRAY STRUCT MAP JSON',
);

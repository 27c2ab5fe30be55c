/** How many items a list is reckoned to have when an operation's cost is estimated. */
export interface ListSize {
  /** Where the operation does not say, as the service takes it. */
  readonly usual: number;
  /** The service refuses more: a larger `first` costs no more than this. */
  readonly most: number;
  /** Cost of one item beside what is selected of it. @default 1 */
  readonly itemCost?: number;
}

/** A page of a connection. */
export const PAGE: ListSize = { usual: 50, most: 500 };
/** A list that has no size of its own, such as the groups of a meter. */
export const LIST: ListSize = { usual: 10, most: 10 };

/** Lists that differ, by type and field. */
export const LIST_SIZES: Readonly<Record<string, ListSize>> = {
  // Columns, written without an object for each reading.
  'Query.readings': { usual: 10_000, most: 10_000, itemCost: 0.01 },
  'Query.latestReadings': { usual: 100, most: 1_000 },
  'Query.lossAccountByMinute': { usual: 60, most: 1_440 },
  'Query.workers': { usual: 100, most: 100 },
};

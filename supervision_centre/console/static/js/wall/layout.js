/** How many tiles a wall has, and which tile is next to which. Pure. */

/** The layouts, by number of tiles. */
export const LAYOUTS = [
  { tiles: 1, columns: 1, rows: 1 },
  { tiles: 4, columns: 2, rows: 2 },
  { tiles: 6, columns: 3, rows: 2 },
  { tiles: 9, columns: 3, rows: 3 },
  { tiles: 12, columns: 4, rows: 3 },
  { tiles: 16, columns: 4, rows: 4 },
];

/**
 * The smallest layout that holds so many cameras, without its empty rows; beyond the largest, the wall has pages.
 * @param {number} cameras
 * @returns {{tiles: number, columns: number, rows: number}}
 */
export function layoutFor(cameras) {
  const layout = LAYOUTS.find(({ tiles }) => tiles >= cameras) ?? LAYOUTS[LAYOUTS.length - 1];
  return { ...layout, rows: Math.max(1, Math.min(layout.rows, Math.ceil(cameras / layout.columns))) };
}

/**
 * The tile reached by an arrow.
 * @param {number} index
 * @param {string} key `ArrowLeft`, `ArrowRight`, `ArrowUp`, `ArrowDown`, `Home` or `End`
 * @param {number} count how many tiles there are
 * @param {number} columns
 * @returns {number} the same index at an edge
 */
export function neighbour(index, key, count, columns) {
  const last = count - 1;
  const moves = {
    ArrowLeft: index - 1,
    ArrowRight: index + 1,
    ArrowUp: index - columns,
    ArrowDown: Math.min(index + columns, Math.floor(index / columns) < Math.floor(last / columns) ? last : index),
    Home: 0,
    End: last,
  };
  const target = moves[key] ?? index;
  return target < 0 || target > last ? index : target;
}

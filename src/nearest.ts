/** Names that are spelled nearly alike, for "did you mean". Pure. */

/** At most so many names are shown. */
const SHOWN_MAX = 3;

/** Those of the names that are nearest to a word, best first; none if all are far. */
export function nearest(word: string, names: Iterable<string>): string[] {
  const farthest = Math.max(1, Math.floor(word.length * 0.4));
  const lower = word.toLowerCase();
  const near: { name: string; distance: number }[] = [];
  for (const name of names) {
    const other = name.toLowerCase();
    // Whoever types the beginning of a name means that name.
    const distance = other.startsWith(lower) || lower.startsWith(other) ? 0 : distanceOf(lower, other, farthest);
    if (distance <= farthest) near.push({ name, distance });
  }
  near.sort((a, b) => a.distance - b.distance || (a.name < b.name ? -1 : 1));
  const best = near[0]?.distance ?? 0;
  return near
    .filter(({ distance }) => distance <= best + 1)
    .slice(0, SHOWN_MAX)
    .map(({ name }) => name);
}

/** " Did you mean a or b?", or nothing. */
export function didYouMean(word: string, names: Iterable<string>): string {
  const near = nearest(word, names);
  return near.length === 0 ? "" : ` Did you mean ${near.join(" or ")}?`;
}

/** Letters to change, add, drop or swap with their neighbour (optimal string alignment), or more than `most`. */
function distanceOf(a: string, b: string, most: number): number {
  if (Math.abs(a.length - b.length) > most) return most + 1;
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      let best = Math.min(change, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        best = Math.min(best, (before[j - 2] ?? 0) + 1);
      next.push(best);
    }
    [before, row] = [row, next];
  }
  return row[b.length] ?? most + 1;
}

/** How archives are taken in, and given back. */
import type { ArchiveLimits } from "./entries.ts";
import { type Filter, FilterError } from "./filter.ts";

/** What is accepted, what is made of it, and by which programs. */
export interface ArchiveRules {
  readonly limits: ArchiveLimits;
  /** Where the archive of a finished folder is put: beside the folder, or instead of it. */
  readonly result: "beside" | "instead";
  readonly filter: Filter;
}

/** Where nothing else is said. */
const PRESET: ArchiveRules = {
  limits: { bytesMax: 100e9, entriesMax: 200_000, ratioMax: 250 },
  result: "beside",
  filter: async ([program]) => {
    throw new FilterError(`${program} is not here`, true);
  },
};

/** The rules of a world; what is usual where it has none. */
export function archiveRules({ archives = PRESET }: { readonly archives?: ArchiveRules }): ArchiveRules {
  return archives;
}

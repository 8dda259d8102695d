/** What an archive can have against being unpacked, or a folder against being packed. */

/** The archive itself is at fault, in sentences for the one who made it. It is refused, whole. */
export class ArchiveFault extends Error {
  override readonly name = "ArchiveFault";
  /** Its end is missing: perhaps it is still being uploaded. */
  readonly isCut: boolean;

  constructor(message: string, isCut = false) {
    super(message);
    this.isCut = isCut;
  }
}

/** The archive is not at fault: something else is missing, and it waits. */
export class ArchiveWait extends Error {
  override readonly name = "ArchiveWait";
  /** When it may be otherwise, if that is known. */
  readonly againInS: number | undefined;
  /** What it needs room for, if that is what it waits for. */
  readonly needs: { readonly bytes: number; readonly count: number } | undefined;

  constructor(message: string, againInS?: number, needs?: { readonly bytes: number; readonly count: number }) {
    super(message);
    this.againInS = againInS;
    this.needs = needs;
  }
}

/** A folder that cannot be packed as it is. */
export class PackFault extends Error {
  override readonly name = "PackFault";
}

/**
 * Why a folder of the inbox waits, in the sentences of which others must know what they mean: they are kept as text in
 * manager.json. Pure.
 */

/** Something in it has changed a while ago, and it has to rest for longer. */
export function unsettledText(what: string, agoS: number, settleS: number): string {
  return `${what} changed ${agoS} s ago (it is taken after ${settleS} s of rest)`;
}

const UNSETTLED = / changed (\d+) s ago \(it is taken after (\S+) s of rest\)$/;

/** Whether a reason of that age was that it has to rest, and the time of rest has passed since. */
export function hasRested(reason: string, ageS: number): boolean {
  const [, agoS, restS] = UNSETTLED.exec(reason) ?? [];
  return restS !== undefined && Number(agoS) + ageS >= Number(restS);
}

const FOREIGN = "it belongs to another user";

/** It is left alone, whatever is asked of it. */
export function foreignText(uid: number): string {
  return `${FOREIGN} (uid ${uid}). To run it as yourself: --allow-owner ${uid}`;
}

/** Whether a reason is that. */
export function isForeign(reason: string | undefined): boolean {
  return reason?.startsWith(FOREIGN) === true;
}

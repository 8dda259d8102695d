/**
 * `jobmgr/engine`: what somebody needs who writes an engine of their own. It is what the engines of this house import of
 * src, and nothing else.
 */
export type * from "../engine.ts";
export { CONTRACT } from "../engine.ts";
export { EngineError, isEngineError, type Verdict } from "../engine-error.ts";
export { isReservedName, isResultName } from "../files.ts";
export { outputName, shortId } from "../outputs.ts";
export {
  EXIT,
  type Exit,
  latestRuns,
  NOT_RUN,
  parseExit,
  parseStarted,
  quoted,
  type Run,
  recordName,
  STARTED,
  type Started,
} from "../runner.ts";
export type { Script } from "../script.ts";

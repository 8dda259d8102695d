/** What the library throws beside RootError, LockError, EngineError, ConfigError and AbsentError. */

/** What was asked for cannot be a job, or not be understood, in a sentence that says why. Nothing was done. */
export class RequestError extends Error {
  override readonly name = "RequestError";
}

/** The root has a job of this name. Nothing was done. */
export class JobThereError extends Error {
  override readonly name = "JobThereError";
}

/** The time is over, and the job has not ended. It goes on. */
export class ResultTimeoutError extends Error {
  override readonly name = "ResultTimeoutError";
}

/** The root, or the engine, was closed. Jobs go on. */
export class ClosedError extends Error {
  override readonly name = "ClosedError";
}

/** The manager in this program has stopped by itself; `cause` says why, if that was an error. Jobs go on. */
export class ManagerError extends Error {
  override readonly name = "ManagerError";
}

/** What ends a call before it has done anything, by what a caller may do about it. */

/** A root that cannot be used, in a sentence that says what to do. Exit code 78 (EX_CONFIG). */
export class RootError extends Error {
  override readonly name = "RootError";
}

/** Another manager has the root. Exit code 75 (EX_TEMPFAIL). */
export class LockError extends Error {
  override readonly name = "LockError";
}

/** No job has this name. Exit code 3. */
export class AbsentError extends Error {
  override readonly name = "AbsentError";
}

/** A configuration file, or a variable of the environment, that cannot be used as it is. Exit code 78. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

/** Which engine is a job's? The one that its intent names; before there is an intent, the one of today. */
import type { Job } from "./job.ts";
import type { Line } from "./line.ts";

/** The engines of one root. Only the first one is given new jobs. */
export class Lines {
  readonly today: Line;
  readonly #byName: ReadonlyMap<string | undefined, Line>;

  constructor(...lines: readonly [Line, ...Line[]]) {
    this.today = lines[0];
    this.#byName = new Map(lines.map((line) => [line.engine.name, line]));
  }

  get all(): readonly Line[] {
    return [...this.#byName.values()];
  }

  of({ seen }: Job): Line {
    return this.#byName.get(seen?.intent?.engine) ?? this.today;
  }
}

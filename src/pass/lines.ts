/** Which engine is a job's? The one that its intent names; before there is an intent, the one of today. */
import type { Job } from "./job.ts";
import type { Line } from "./line.ts";

/** The engines of one root. Only today's is given new jobs; the others keep those that they were given before. */
export class Lines {
  readonly today: Line;
  readonly #byName: Map<string | undefined, Line>;

  constructor(...lines: readonly [Line, ...Line[]]) {
    this.today = lines[0];
    this.#byName = new Map(lines.map((line) => [line.engine.name, line]));
  }

  get all(): readonly Line[] {
    return [...this.#byName.values()];
  }

  /** Those of earlier days. */
  get others(): readonly Line[] {
    return this.all.filter((line) => line !== this.today);
  }

  has(engine: string): boolean {
    return this.#byName.has(engine);
  }

  add(line: Line): void {
    this.#byName.set(line.engine.name, line);
  }

  /** Of a job whose engine is not here, and which is not asked anything for that, today's. */
  of({ seen }: Job): Line {
    return this.#byName.get(seen?.intent?.engine) ?? this.today;
  }
}

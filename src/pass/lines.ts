/** Which engine is a job's? The one that its intent names; before there is an intent, the one of today. */
import { engineKey, type Intent } from "../records.ts";
import type { Job } from "./job.ts";
import type { Line } from "./line.ts";

/** The engines of one root. Only today's is given new jobs; the others keep those that they were given before. */
export class Lines {
  readonly today: Line;
  readonly #byId: Map<string, Line>;

  constructor(...lines: readonly [Line, ...Line[]]) {
    this.today = lines[0];
    this.#byId = new Map(lines.map((line) => [line.id, line]));
  }

  get all(): readonly Line[] {
    return [...this.#byId.values()];
  }

  /** Those of earlier days. */
  get others(): readonly Line[] {
    return this.all.filter((line) => line !== this.today);
  }

  /** Whether the engine of these records is here. */
  has(intent: Intent): boolean {
    return this.#byId.has(engineKey(intent));
  }

  add(line: Line): void {
    this.#byId.set(line.id, line);
  }

  /** Of a job whose engine is not here, and which is not asked anything for that, today's. */
  of({ seen }: Job): Line {
    return (seen?.intent && this.#byId.get(engineKey(seen.intent))) ?? this.today;
  }
}

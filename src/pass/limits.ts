/** How much at a time, and how often. */
export interface Limits {
  /** Places in the engine's queue. */
  readonly jobsMax: number;
  /** Jobs that may wait in the engine's queue. */
  readonly pendingMax: number;
  /** Between two submissions, in seconds. */
  readonly delayS: number;
  readonly pauseFile: string;
  /** Jobs may be claimed and planned while the queue is full. */
  readonly prepareAhead: boolean;
  /** An engine with a queue is not asked again before so many seconds have passed, whatever happens. */
  readonly queryS: number;
  /** As queryS, where a person wants to know now. */
  readonly queryLeastS: number;
}

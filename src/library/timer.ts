/** The longest time of a timer of Node's, in milliseconds: one of more would fire at once. */
export const TIMER_MS_MAX = 2 ** 31 - 1;

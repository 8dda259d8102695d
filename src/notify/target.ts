/** Ways to tell somebody: each takes one message, or throws. What they say of a failure holds no secret. */
import type { Message } from "./message.ts";

/**
 * Runs a program that reads `input`, without a shell, until it ends or `stop` aborts. Never throws. `exitCode` is
 * undefined if a signal ended it, or it could not be started; `errorCode` is "ENOENT" where there is no such program.
 */
export type FeedProgram = (
  program: string,
  args: readonly string[],
  input: string,
  timeoutMs: number,
  stop: AbortSignal,
) => Promise<{ exitCode: number | undefined; errorCode: string | undefined; timedOut: boolean }>;

/** One way to tell somebody. */
export interface Target {
  /** Its folder in the outbox. */
  readonly name: "command" | "webhook" | "mail";
  /** In the words of a problem, without secrets: "the webhook at https://hooks.example.org". */
  readonly title: string;
  /** Resolves when the message was taken. Throws DeliveryError, also when `stop` aborts. */
  deliver(message: Message, stop: AbortSignal): Promise<void>;
}

/** Why a message was not taken, fit to be shown: what a library says may hold an address or a password. */
export class DeliveryError extends Error {
  override readonly name = "DeliveryError";
}

const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nobody listens there",
  ECONNRESET: "it closed the connection",
  UND_ERR_SOCKET: "it closed the connection",
  ENOTFOUND: "there is no host of that name",
  EDNS: "there is no host of that name",
  EAI_AGAIN: "its name cannot be looked up for now",
  UND_ERR_CONNECT_TIMEOUT: "no connection comes about",
  ETIMEDOUT: "no connection comes about",
  EAUTH: "it does not accept the user and password",
};

/** What went wrong, by its code: "nobody listens there (ECONNREFUSED)". */
export function wordsFor(error: unknown): string {
  const code = codeOf(error);
  const words = WORDS[code];
  return words === undefined ? code : `${words} (${code})`;
}

/** A word for what went wrong, if it is only that: "ECONNREFUSED". */
function codeOf(error: unknown): string {
  for (let at = error; typeof at === "object" && at !== null; at = (at as Error).cause) {
    const { code } = at as NodeJS.ErrnoException;
    if (typeof code === "string" && /^[A-Z][A-Z0-9_]{2,40}$/.test(code)) return code;
  }
  return "an unexpected error";
}

const COMMAND_LIMIT_MS = 60_000;

/** Starts a program, with the event as its argument and the message (JSON) as its input. */
export function commandTarget(path: string, feed: FeedProgram): Target {
  return {
    name: "command",
    title: `the command ${path}`,
    async deliver(message, stop) {
      const input = `${JSON.stringify(message)}\n`;
      const ran = await feed(path, [message.event], input, COMMAND_LIMIT_MS, stop);
      if (ran.timedOut) throw new DeliveryError(`it did not end within ${COMMAND_LIMIT_MS / 1000} s`);
      if (ran.errorCode !== undefined) throw new DeliveryError(`it cannot be started (${ran.errorCode})`);
      if (ran.exitCode === undefined) throw new DeliveryError("a signal ended it");
      if (ran.exitCode !== 0) throw new DeliveryError(`it ended with exit code ${ran.exitCode}`);
    },
  };
}

const WEBHOOK_LIMIT_MS = 30_000;

/** Any answer from 200 to 299 says that it was taken. */
export function webhookTarget(address: URL, headers: Headers): Target {
  const url = new URL(address);
  const all = new Headers(headers);
  if (url.username !== "" || url.password !== "") {
    const user = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
    if (!all.has("authorization")) all.set("authorization", `Basic ${Buffer.from(user).toString("base64")}`);
    url.username = "";
    url.password = "";
  }
  if (!all.has("content-type")) all.set("content-type", "application/json");
  if (!all.has("user-agent")) all.set("user-agent", "jobmgr");
  return {
    name: "webhook",
    title: `the webhook at ${url.origin}`,
    async deliver(message, stop) {
      const limit = new AbortController();
      const timer = setTimeout(() => limit.abort(), WEBHOOK_LIMIT_MS);
      try {
        const response = await fetch(url, {
          method: "POST",
          headers: all,
          body: JSON.stringify(message),
          // A redirected POST becomes a GET, and takes secrets along to another place.
          redirect: "manual",
          signal: AbortSignal.any([stop, limit.signal]),
        });
        await response.body?.cancel();
        if (!response.ok) throw new DeliveryError(answerText(response.status));
      } catch (error) {
        if (error instanceof DeliveryError) throw error;
        if (limit.signal.aborted) throw new DeliveryError(`it did not answer within ${WEBHOOK_LIMIT_MS / 1000} s`);
        const why = hasBadPort(error) ? `no web client may use port ${url.port}` : wordsFor(error);
        throw new DeliveryError(`it cannot be reached: ${why}`);
      } finally {
        clearTimeout(timer);
      }
    },
  };
}

/** Fetch's own list (https://fetch.spec.whatwg.org/#bad-port), which has no code. */
function hasBadPort(error: unknown): boolean {
  return (error as Error).cause instanceof Error && ((error as Error).cause as Error).message === "bad port";
}

function answerText(status: number): string {
  const isRedirect = status >= 300 && status < 400;
  return isRedirect
    ? `it answered ${status}, a redirect, which is not followed: give the address that it leads to`
    : `it answered ${status}`;
}

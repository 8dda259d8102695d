/** Messages by mail: through an SMTP server, or the sendmail program of this machine. The only importer of nodemailer. */
import { shellWord } from "../shell-word.ts";
import type { Message } from "./message.ts";
import { DeliveryError, type FeedProgram, type Target, wordsFor } from "./target.ts";

/** To whom, and by which way: without a server by sendmail. */
export interface MailPlan {
  readonly to: readonly string[];
  /** smtp:// or smtps://, with user and password, and perhaps "?from=ADDRESS". */
  readonly smtp: URL | undefined;
  readonly user: string;
  readonly host: string;
  readonly rootId: string;
}

const LIMIT_MS = 60_000;

/** Where sendmail is found: cron's PATH has no sbin. */
const SENDMAILS = ["sendmail", "/usr/sbin/sendmail", "/usr/lib/sendmail"];

type Mailer = typeof import("nodemailer");

/** Mail to these addresses. nodemailer is loaded for it. */
export async function mailTarget(plan: MailPlan, feed: FeedProgram): Promise<Target> {
  const mailer = await import("nodemailer");
  const send = plan.smtp === undefined ? bySendmail(mailer, plan, feed) : bySmtp(mailer, plan, plan.smtp);
  const way = plan.smtp === undefined ? "the sendmail program" : plan.smtp.host;
  return { name: "mail", title: `mail to ${plan.to.join(", ")} by ${way}`, deliver: send };
}

function letterOf(message: Message, { to, rootId }: MailPlan) {
  return {
    // A name without a host, such as "ada", would be taken for a person without an address.
    to: to.map((address) => ({ name: "", address })),
    subject: subjectOf(message),
    text: bodyOf(message),
    // The same for a message that had to be sent again.
    messageId: `<${message.id}@${rootId}.jobmgr>`,
    date: new Date(message.at),
    // Keeps those who are on holiday from answering (RFC 3834).
    headers: { "Auto-Submitted": "auto-generated" },
    disableFileAccess: true,
    disableUrlAccess: true,
  };
}

const SUBJECT_LENGTH_MAX = 120;

function subjectOf({ text }: Message): string {
  const letters = Array.from(`jobmgr: ${text}`);
  return letters.length <= SUBJECT_LENGTH_MAX
    ? letters.join("")
    : `${letters.slice(0, SUBJECT_LENGTH_MAX - 3).join("")}...`;
}

function bodyOf({ text, root, host, job, batch }: Message): string {
  const lines = [text, ""];
  if (job) {
    lines.push(`Folder:  ${job.folder}`, `State:   ${job.state}`, `Why:     ${job.why}`);
    if (job.startedAt !== undefined) lines.push(`Started: ${job.startedAt}`);
    if (job.endedAt !== undefined) lines.push(`Ended:   ${job.endedAt}`);
  }
  if (batch) {
    lines.push(`Jobs:      ${batch.jobs}, from ${batch.since} to ${batch.until}`);
    for (const [result, count] of Object.entries(batch.results)) lines.push(`${`${result}:`.padEnd(13)} ${count}`);
    if (batch.failed > 0) lines.push("", "Failed:", ...batch.failedNames.map((name) => `  ${name}`));
    if (batch.failed > batch.failedNames.length)
      lines.push(
        `  and ${batch.failed - batch.failedNames.length} more: jobmgr --root ${shellWord(root)} status --failed`,
      );
  }
  return `${lines.join("\n")}\n\n-- \njobmgr on ${host}, ${root}\n`;
}

function bySmtp(mailer: Mailer, plan: MailPlan, smtp: URL): Target["deliver"] {
  const from = smtp.searchParams.get("from") ?? senderOf(plan, decodeURIComponent(smtp.username));
  const url = new URL(smtp);
  url.searchParams.delete("from");
  return async (message, stop) => {
    const transport = mailer.createTransport({
      url: url.href,
      connectionTimeout: LIMIT_MS / 2,
      greetingTimeout: LIMIT_MS / 2,
      socketTimeout: LIMIT_MS / 2,
      // The server may take its time to say goodbye; this program does not.
      socketCloseTimeout: 0,
    });
    const limit = new AbortController();
    const timer = setTimeout(() => limit.abort(), LIMIT_MS);
    try {
      const signal = AbortSignal.any([stop, limit.signal]);
      await transport.sendMail({ ...letterOf(message, plan), from, signal });
    } catch (error) {
      if (limit.signal.aborted) throw new DeliveryError(`it did not take the message within ${LIMIT_MS / 1000} s`);
      const { responseCode } = error as { responseCode?: number };
      const answer = typeof responseCode === "number" ? `, the server answered ${responseCode}` : "";
      throw new DeliveryError(`it cannot be sent: ${wordsFor(error)}${answer}`);
    } finally {
      clearTimeout(timer);
      transport.close();
    }
  };
}

/** The user's name where that is an address, else one of this machine's. */
function senderOf({ user, host }: MailPlan, login: string): string {
  return login.includes("@") ? login : `${user}@${host}`;
}

/** nodemailer writes the letter, and the program is run as all programs are: with a limit in time. */
function bySendmail(mailer: Mailer, plan: MailPlan, feed: FeedProgram): Target["deliver"] {
  const transport = mailer.createTransport({ streamTransport: true, buffer: true, newline: "unix" });
  return async (message, stop) => {
    const { message: letter } = await transport.sendMail({
      ...letterOf(message, plan),
      from: senderOf(plan, ""),
    });
    for (const program of SENDMAILS) {
      const ran = await feed(program, ["-i", "--", ...plan.to], String(letter), LIMIT_MS, stop);
      if (ran.errorCode === "ENOENT") continue;
      if (ran.timedOut) throw new DeliveryError(`sendmail did not end within ${LIMIT_MS / 1000} s`);
      if (ran.errorCode !== undefined) throw new DeliveryError(`sendmail cannot be started (${ran.errorCode})`);
      if (ran.exitCode !== 0) throw new DeliveryError(`sendmail ended with exit code ${ran.exitCode ?? "?"}`);
      return;
    }
    throw new DeliveryError("there is no sendmail on this machine; name a mail server with --notify-smtp-file");
  };
}

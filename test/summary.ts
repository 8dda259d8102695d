/** The end of every test run: what passed only when it was tried again, with its error, and "N passed, N failed, N skipped" in the last line. */
import type { Reporter, TestCase, TestModule } from "vitest/node";

export default class Summary implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]): void {
    const count = { passed: 0, failed: errors.length, skipped: 0, pending: 0 };
    const retried: string[] = [];
    for (const module of modules) {
      if (module.children.size === 0) count.failed++;
      for (const test of module.children.allTests()) {
        count[test.result().state]++;
        if (test.diagnostic()?.flaky) retried.push(retriedText(test));
      }
    }
    // Whatever the other reporters still print comes before the end of the process.
    process.once("exit", () => {
      process.stdout.write(
        `${retried.join("")}${count.passed} passed, ${count.failed} failed, ${count.skipped + count.pending} skipped\n`,
      );
    });
  }
}

function retriedText(test: TestCase): string {
  const errors = test.result().errors ?? [];
  const reasons = errors.map(({ message, stacks }) => {
    const at = stacks?.at(-1);
    return `  ${message.replaceAll("\n", "\n  ")}${at ? `\n  at ${at.file}:${at.line}` : ""}\n`;
  });
  return `passed when tried again: ${test.module.relativeModuleId} > ${test.fullName}\n${reasons.join("")}`;
}

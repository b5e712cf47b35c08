/**
 * A reporter for node's test runner that counts: its last line is `N passed, N failed`, before it stands `N skipped`
 * where tests were.
 * Suites do not count, nor does a test that failed only because one inside it did.
 */
import type { TestEvent } from 'node:test/reporters';

export default async function* testReport(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  let passed = 0;
  let failed = 0;
  let skipped = 0;
  for await (const event of events) {
    if (event.type !== 'test:pass' && event.type !== 'test:fail') continue;
    if (event.data.details.type === 'suite') continue;
    if (event.type === 'test:fail') {
      if (!failedOnlyInside(event.data.details.error)) failed += 1;
    } else if (event.data.skip !== undefined && event.data.skip !== false) {
      skipped += 1;
    } else {
      passed += 1;
    }
  }
  if (skipped > 0) yield `${skipped} skipped\n`;
  yield `${passed} passed, ${failed} failed\n`;
}

function failedOnlyInside(error: Error & { readonly failureType?: unknown }): boolean {
  return error.failureType === 'subtestsFailed';
}

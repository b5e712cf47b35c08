import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crashReason, crashTail } from '../../src/workers/publisher/outputs/go/crash-report.js';

const TRACE = `runtime: morestack on g0, stack [0x7f4b64ff5f20 0x7f4b64ffe320], sp=0x7f4b127fbf18, called from
fatal error: morestack on g0

goroutine 21 gp=0x186912d3eb40 m=10 mp=0x186912d33008 [running, locked to thread]:
runtime.systemstack_switch()
	runtime/asm_amd64.s:516 +0x8 fp=0x186912d83b78 sp=0x186912d83b68 pc=0x7f4b65923108
panic({0x7f4b65d0b160?, 0x7f4b65d6c5b8?})
	runtime/panic.go:856 +0x145 fp=0x186912d83c98 sp=0x186912d83be8 pc=0x7f4b6591d4c5
main.(*instance).misbehave(0x186912e22000?, 0x11?)
	agent.test/go-outputs/behaves/main.go:174 +0xeb fp=0x186912d83cc8 sp=0x186912d83c98 pc=0x7f4b65a993ab
`;

const end = (stderrTail: string, how = 'signal SIGABRT') => ({ how, stderrTail });

test('a report says how the process ended and, where the runtime did, why', () => {
  assert.equal(crashReason(end('')), 'signal SIGABRT');
  assert.equal(crashReason(end('said this\n', 'exit code 3')), 'exit code 3');
  assert.equal(
    crashReason(end('said this\npanic: out of \x1b[31mluck\n\ngoroutine 1')),
    'signal SIGABRT, panic: out of \\x1b[31mluck',
  );
  assert.equal(
    crashReason(end('fatal error: all goroutines are asleep\n')),
    'signal SIGABRT, fatal error: all goroutines are asleep',
  );
});

test('a panic whose words the runtime did not come to say is told by its place', () => {
  assert.equal(
    crashReason(end(TRACE)),
    'signal SIGABRT, panic: in main.(*instance).misbehave (agent.test/go-outputs/behaves/main.go:174)',
  );
  assert.ok(crashTail(end(`before\n${TRACE}`)).startsWith('runtime: morestack'));
});

test('the tail begins with the reason, or is the last that was said, and is bounded', () => {
  assert.equal(crashTail(end(`noise\npanic: no\nmore`)), 'panic: no\nmore');
  assert.equal(crashTail(end('x'.repeat(5000))).length, 2000);
});

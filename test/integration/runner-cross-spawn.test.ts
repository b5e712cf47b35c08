/** What holds for runs of plugins holds for the portable way to start them, too. */
process.env.AGENT_RUNNER_ENGINE = 'cross-spawn';

await import('./runner-process-end.test.js');
await import('./runner-run.test.js');
await import('./runner-bad-output.test.js');

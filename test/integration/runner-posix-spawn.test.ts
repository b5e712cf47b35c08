/** What holds for runs of plugins holds where the launcher is not built, too. */
process.env.AGENT_RUNNER_ENGINE = 'posix_spawn';

await import('./runner-process-end.test.js');
await import('./runner-run.test.js');
await import('./runner-bad-output.test.js');
await import('./runner-limits.test.js');
await import('./runner-cgroup.test.js');

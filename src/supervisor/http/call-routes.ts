import { z } from 'zod';
import * as answers from './answers.js';
import { type ErrorCode, FETCH_FAILURES } from './errors.js';
import { chosenNamespace } from './namespace-choice.js';
import type { PluginReference } from './operations.js';
import { namespaceParameter, paramParameter, repoParameter, timeoutParameter } from './parameters.js';
import { pluginOutputs, pluginOutputsAnswer } from './plugin-output-answer.js';
import { callRoute, type Route, type RouteContext } from './route.js';

const nothing = z.strictObject({});
const onePlugin = z.strictObject({ ns: namespaceParameter, repo: repoParameter });
const onePluginFailures = [
  'bad-namespace',
  'unknown-plugin',
  'busy',
  'stopping',
] as const satisfies readonly ErrorCode[];

/** The calls of operators. */
export const CALL_ROUTES: readonly Route[] = [
  callRoute({
    path: '/update',
    summary: 'Asks the registry now and says what that changed',
    effect: 'changes',
    parameters: nothing,
    answer: answers.syncAnswer,
    failures: ['registry', 'stopping'],
    answerTo: (_parameters, { operations }) => operations.sync(),
  }),
  callRoute({
    path: '/me/ns',
    summary: 'The namespaces that this host is in',
    effect: 'reads',
    parameters: nothing,
    answer: answers.namespacesAnswer,
    failures: [],
    answerTo: (_parameters, { operations }) => ({ namespaces: operations.namespaces() }),
  }),
  callRoute({
    path: '/me/status',
    summary: 'Version, uptime and counts of this agent',
    effect: 'reads',
    parameters: nothing,
    answer: answers.statusAnswer,
    failures: [],
    answerTo: (_parameters, { operations }) => operations.status(),
  }),
  callRoute({
    path: '/plugins/list',
    summary: 'Every plugin with its state and its last run',
    effect: 'reads',
    parameters: nothing,
    answer: answers.pluginsAnswer,
    failures: [],
    answerTo: (_parameters, { operations }) => ({ plugins: operations.plugins() }),
  }),
  callRoute({
    path: '/plugins/outputs',
    summary: 'Every instance of a Golang output plugin: its state, restarts, chunks and last error',
    effect: 'reads',
    parameters: nothing,
    answer: pluginOutputsAnswer,
    failures: ['busy'],
    answerTo: async (_parameters, { operations }) => pluginOutputs(await operations.status()),
  }),
  callRoute({
    path: '/plugins/update',
    summary: 'Fetches the newest release of a plugin',
    effect: 'changes',
    parameters: onePlugin,
    answer: answers.updateAnswer,
    failures: [...onePluginFailures, ...FETCH_FAILURES],
    answerTo: (parameters, context) => context.operations.updatePlugin(pluginOf(parameters, context)),
  }),
  callRoute({
    path: '/plugins/run',
    summary: 'Runs a plugin now and answers with the result',
    effect: 'changes',
    parameters: onePlugin.extend({ timeout: timeoutParameter, param: paramParameter }),
    answer: answers.runAnswer,
    failures: [...onePluginFailures, 'running', 'stream', 'plugin-store'],
    answerTo: async (parameters, context) => {
      const { stdoutEnd, stderrEnd, ...outcome } = await context.operations.runPlugin(
        pluginOf(parameters, context),
        { timeoutMs: parameters.timeout, parameters: parameters.param },
      );
      return { ...outcome, stdout: stdoutEnd, stderr: stderrEnd };
    },
  }),
  enablingRoute('/plugins/enable', 'Enables a plugin again', true),
  enablingRoute('/plugins/enbable', 'The same as /plugins/enable', true),
  enablingRoute('/plugins/disable', 'Stops running a plugin for 24 hours, or until it is enabled', false),
];

function enablingRoute(path: string, summary: string, enabled: boolean): Route {
  return callRoute({
    path,
    summary,
    effect: 'changes',
    parameters: onePlugin,
    answer: answers.enabledAnswer,
    failures: [...onePluginFailures, 'state'],
    answerTo: async (parameters, context) => ({
      enabled,
      ...(await context.operations.setPluginEnabled(pluginOf(parameters, context), enabled)),
    }),
  });
}

function pluginOf(parameters: z.output<typeof onePlugin>, context: RouteContext): PluginReference {
  const namespace = chosenNamespace(
    parameters.ns,
    context.operations.namespaces(),
    context.namespaceRule.topicPrefix,
  );
  return { namespace, repo: parameters.repo };
}

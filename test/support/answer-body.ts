import type { z } from 'zod';
import type * as answers from '../../src/supervisor/http/answers.js';
import type { pluginOutputsAnswer } from '../../src/supervisor/http/plugin-output-answer.js';

/** What an answer with 200 says, by path: what the OpenAPI document promises. */
interface Contents {
  readonly '/post': z.output<typeof answers.postAnswer>;
  readonly '/update': z.output<typeof answers.syncAnswer>;
  readonly '/me/ns': z.output<typeof answers.namespacesAnswer>;
  readonly '/me/status': z.output<typeof answers.statusAnswer>;
  readonly '/plugins/list': z.output<typeof answers.pluginsAnswer>;
  readonly '/plugins/outputs': z.output<typeof pluginOutputsAnswer>;
  readonly '/plugins/update': z.output<typeof answers.updateAnswer>;
  readonly '/plugins/run': z.output<typeof answers.runAnswer>;
  readonly '/plugins/enable': z.output<typeof answers.enabledAnswer>;
  readonly '/plugins/disable': z.output<typeof answers.enabledAnswer>;
}

type PathOf<Call extends string> = Call extends `${infer Path}?${string}` ? Path : Call;

type ContentOf<Path extends string> = Path extends keyof Contents
  ? Contents[Path]
  : Readonly<Record<string, unknown>>;

/**
 * The body of an answer to a path, which may have a query. `error` alone stands in one with another status than 200: a
 * test says by what it reads which of both it expects.
 */
export type Body<Call extends string> = ContentOf<PathOf<Call>> & {
  readonly ok: boolean;
  readonly error?: z.output<typeof answers.failureAnswer>['error'];
};

/** What `/me/status` says of an output. */
export type ListedOutput = NonNullable<Contents['/me/status']['outputs']>[number];

/** What `/plugins/list` says of a plugin. */
export type ListedPlugin = z.output<typeof answers.pluginsAnswer>['plugins'][number];

import type { GoOutputSettings } from '../../../shared/output-settings.js';

/** Namespaces whose answer is remembered. */
const REMEMBERED_MOST = 10_000;

/** Tells whether an output gets the points of a namespace, by its tag; undefined: it gets those of all. */
export function tagMatcher({
  match,
  matchRegex,
  topicPrefix,
}: Pick<GoOutputSettings, 'match' | 'matchRegex' | 'topicPrefix'>):
  | ((namespace: string) => boolean)
  | undefined {
  const pattern = patternOf(match, matchRegex);
  if (!pattern) return undefined;
  const answers = new Map<string, boolean>();
  return (namespace) => {
    const known = answers.get(namespace);
    if (known !== undefined) return known;
    const answer = pattern.test(topicPrefix + namespace);
    if (answers.size >= REMEMBERED_MOST) answers.clear();
    answers.set(namespace, answer);
    return answer;
  };
}

function patternOf(match: string | undefined, matchRegex: string | undefined): RegExp | undefined {
  if (matchRegex !== undefined) return new RegExp(matchRegex);
  if (match === undefined || match === '*') return undefined;
  const parts = match.split(/\*+/).map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`, 's');
}

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CodedError } from '../../src/shared/coded-error.js';
import { checkNamespaces, type KnownRegistry, learn } from '../../src/supervisor/registry/known-registry.js';
import { parsePluginInterval } from '../../src/supervisor/registry/plugin-interval.js';
import { definePlugin, type RepositoryRules } from '../../src/supervisor/registry/plugin-item.js';
import { buildView } from '../../src/supervisor/registry/view-builder.js';

const RULES: RepositoryRules = { template: '', protocols: new Set(['https', 'ssh']) };

const REDIS = {
  _id: '5f',
  measurement_type: 'PLUGIN',
  name: 'PLUGIN.redis',
  git: 'git@git.example.com:monitor/redis.git',
  interval: '10',
  parameters: ' -p  6379 ',
};

function viewOf(items: readonly unknown[], namespace = 'cache.shop') {
  const answer = { namespaces: new Map([[namespace, { id: 'id-1', items }]]), problems: [] };
  return buildView(learn(new Map(), answer), RULES, []);
}

function reasonsOf(items: readonly unknown[]): string[] {
  return viewOf(items).problems.map(({ reason }) => reason);
}

describe('an item of the type PLUGIN', () => {
  it('becomes a definition', () => {
    assert.deepEqual(definePlugin('cache.shop', REDIS, RULES), {
      namespace: 'cache.shop',
      project: 'redis',
      name: 'redis',
      repo: 'git@git.example.com:monitor/redis.git',
      address: 'git@git.example.com:monitor/redis.git',
      interval: { kind: 'every', seconds: 10 },
      parameters: ['-p', '6379'],
      mode: 'run',
      format: 'json',
    });
  });

  it('keeps a token in its git address for git alone', () => {
    const git = 'https://t0ken@git.example.com/monitor/redis.git';
    const plugin = definePlugin('cache.shop', { ...REDIS, git }, RULES);
    assert.equal(plugin.address, git);
    assert.equal(plugin.repo, 'https://git.example.com/monitor/redis.git');
  });

  it('may have numbers where texts are usual', () => {
    const plugin = definePlugin('ns', { ...REDIS, name: 12, interval: 60, parameters: 7 }, RULES);
    assert.equal(plugin.name, '12');
    assert.deepEqual(plugin.interval, { kind: 'every', seconds: 60 });
    assert.deepEqual(plugin.parameters, ['7']);
  });

  it('may pin its commit and the hash of its file, in upper case too, and pins nothing with empty texts', () => {
    const [sha1, sha256] = ['0A'.repeat(20), 'fF'.repeat(32)];
    const pinOf = (change: object) => definePlugin('ns', { ...REDIS, ...change }, RULES).pin;
    assert.deepEqual(pinOf({ commit: sha1, sha256 }), {
      commit: sha1.toLowerCase(),
      sha256: sha256.toLowerCase(),
    });
    assert.deepEqual(pinOf({ commit: sha256 }), { commit: sha256.toLowerCase() });
    assert.deepEqual(pinOf({ commit: '', sha256: ' ' }), undefined);
  });

  it('may set limits of its own, as numbers or texts, and sets none with empty texts', () => {
    const limitsOf = (change: object) => definePlugin('ns', { ...REDIS, ...change }, RULES).limits;
    assert.deepEqual(
      limitsOf({ memory: 104_857_600, cpuseconds: '5', nice: '-3', cpus: '0.25', openfiles: 0 }),
      {
        memory: 104_857_600,
        cpuseconds: 5,
        nice: -3,
        cpus: 0.25,
        openfiles: 0,
      },
    );
    assert.equal(limitsOf({ memory: '', processes: ' ' }), undefined);
  });

  it('may come without parameters', () => {
    for (const parameters of [undefined, null, '', '   ']) {
      assert.deepEqual(definePlugin('ns', { ...REDIS, parameters }, RULES).parameters, []);
    }
  });

  it('needs no interval when it runs all the time', () => {
    for (const interval of [undefined, '10', 'whatever']) {
      const plugin = definePlugin('ns', { ...REDIS, mode: 'stream', interval }, RULES);
      assert.deepEqual([plugin.mode, plugin.interval], ['stream', { kind: 'on-demand' }]);
    }
    for (const mode of [undefined, null, '', 'run']) {
      assert.equal(definePlugin('ns', { ...REDIS, mode }, RULES).mode, 'run');
    }
  });

  it('names the format of its output', () => {
    for (const format of ['json', 'influx', 'nagios', 'prometheus']) {
      assert.equal(definePlugin('ns', { ...REDIS, format }, RULES).format, format);
    }
    for (const format of [undefined, null, '']) {
      assert.equal(definePlugin('ns', { ...REDIS, format }, RULES).format, 'json');
    }
  });

  const bad: readonly [string, object, RegExp][] = [
    [
      'an unknown format',
      { format: 'graphite' },
      /format "graphite" is none of json, influx, nagios, prometh/,
    ],
    ['a path for a name', { name: '../../etc' }, /the name is not made of/],
    ['an empty name', { name: 'PLUGIN.' }, /the name is not made of/],
    ['a name with a line break', { name: 'redis\n' }, /the name is not made of/],
    ['an endless name', { name: 'x'.repeat(201) }, /longer than 200/],
    ['no name', { name: undefined }, /"name" is missing/],
    ['a list for a name', { name: ['redis'] }, /"name" is/],
    ['true for a name', { name: true }, /"name" is a boolean/],
    ['no git', { git: undefined }, /"git" is missing/],
    ['a path-like git', { git: 'https://host/../../etc' }, /"\.\."/],
    ['an option for git', { git: '--upload-pack=touch /tmp/x' }, /git address/],
    ['no interval', { interval: undefined }, /"interval" is missing/],
    ['an object for an interval', { interval: {} }, /"interval" is/],
    ['a NUL in the parameters', { parameters: 'a\0b' }, /NUL/],
    ['endless parameters', { parameters: 'x'.repeat(32_769) }, /longer than 32768/],
    ['too many parameters', { parameters: 'x '.repeat(257) }, /more than 256 parameters/],
    ['a limit that is no number', { memory: '512M' }, /"memory" is "512M", but must be 0 for no limit, or a/],
    ['a limit below zero', { cpuseconds: -1 }, /"cpuseconds" is "-1", but must be/],
    ['half a process', { processes: 1.5 }, /"processes" is "1.5", but must be/],
    ['a niceness out of range', { nice: 20 }, /"nice" is "20", but must be a whole number from -20/],
    ['a list for a limit', { filesize: [1] }, /"filesize" is/],
    ['a number in another notation', { addressspace: '1e9' }, /"addressspace" is "1e9"/],
    ['too few files', { openfiles: 3 }, /"openfiles" is "3"/],
    ['no processor at all', { cpus: 0.001 }, /"cpus" is "0.001"/],
    ['a short commit', { commit: 'abc1234' }, /"commit" is "abc1234", but must be the full hash/],
    ['a branch for a commit', { commit: 'main' }, /"commit" is "main"/],
    ['half a hash', { sha256: 'ab'.repeat(20) }, /"sha256" is .* must be the SHA-256/],
    ['a list for a hash', { sha256: [] }, /"sha256" is/],
    ['an object for parameters', { parameters: { a: 1 } }, /"parameters" is no text/],
  ];
  for (const [what, change, reason] of bad) {
    it(`is refused with ${what}`, () => {
      assert.throws(() => definePlugin('ns', { ...REDIS, ...change }, RULES), reason);
    });
  }
});

describe('the interval of a plugin', () => {
  it('is whole seconds, up to 31 days, or 0 for on demand only', () => {
    assert.deepEqual(parsePluginInterval('0'), { kind: 'on-demand' });
    assert.deepEqual(parsePluginInterval(' 1 '), { kind: 'every', seconds: 1 });
    assert.deepEqual(parsePluginInterval('2678400'), { kind: 'every', seconds: 2_678_400 });
  });

  it('may be a cron expression of 5 or 6 fields', () => {
    for (const expression of ['*/5 * * * *', '30 */5 * * * *', '0 3 * * mon-fri', '0 0 29 2 *']) {
      assert.deepEqual(parsePluginInterval(expression), { kind: 'cron', expression });
    }
    assert.deepEqual(parsePluginInterval(' */5  * * * * '), { kind: 'cron', expression: '*/5 * * * *' });
  });

  const bad: readonly [string, RegExp][] = [
    ['', /neither whole seconds nor a cron/],
    ['-5', /neither whole seconds nor a cron/],
    ['1.5', /neither whole seconds nor a cron/],
    ['10s', /neither whole seconds nor a cron/],
    ['1e3', /neither whole seconds nor a cron/],
    ['2678401', /more than 2678400 seconds/],
    ['99999999999999999999999', /more than 2678400 seconds/],
    ['@hourly', /neither whole seconds nor a cron/],
    ['* * * *', /neither whole seconds nor a cron/],
    ['* * * * * * *', /neither whole seconds nor a cron/],
    ['61 * * * *', /is no cron expression/],
    ['a b c d e', /is no cron expression/],
    ['0 0 31 2 *', /is no cron expression/],
    ['0 0 31W 2 *', /never comes due/],
    ['0-100000000 * * * *', /more than two digits/],
    [`${'1,'.repeat(200)}1 * * * *`, /longer than 200 characters/],
  ];
  for (const [text, reason] of bad) {
    it(`cannot be ${JSON.stringify(text.slice(0, 30))}`, () => {
      assert.throws(() => parsePluginInterval(text), reason);
      assert.throws(() => parsePluginInterval(text), reason, 'and the second time neither');
    });
  }
});

describe('the items of a namespace', () => {
  it('are taken one by one: bad ones leave the good ones alone', () => {
    const view = viewOf([
      null,
      'text',
      [1],
      {},
      { ...REDIS, name: '../../etc' },
      { ...REDIS, git: '--upload-pack=x' },
      REDIS,
    ]);
    assert.deepEqual(
      view.plugins.map(({ project }) => project),
      ['redis'],
    );
    assert.equal(view.problems.length, 6);
    assert.ok(view.problems.every(({ namespace }) => namespace === 'cache.shop'));
    assert.equal(view.problems[4]?.name, '../../etc');
  });

  it('may not hold two projects of one name, and the error names both', () => {
    const other = { ...REDIS, name: 'PLUGIN.other', git: 'https://elsewhere.example/x/redis' };
    const view = viewOf([REDIS, other]);
    assert.deepEqual(
      view.plugins.map(({ repo }) => repo),
      [REDIS.git],
    );
    assert.match(
      view.problems[0]?.reason ?? '',
      /git@git\.example\.com:monitor\/redis\.git stays.*elsewhere/,
    );
    assert.equal(view.problems[0]?.name, 'PLUGIN.other');
  });

  it('may not hold one project twice', () => {
    assert.match(reasonsOf([REDIS, { ...REDIS, interval: '20' }])[0] ?? '', /listed twice/);
  });

  it('may hold a project that another namespace has too', () => {
    const known: KnownRegistry = new Map([
      ['a.shop', { id: '1', items: [REDIS], failure: undefined }],
      ['b.shop', { id: '2', items: [REDIS], failure: undefined }],
    ]);
    const view = buildView(known, RULES, []);
    assert.equal(view.plugins.length, 2);
    assert.deepEqual(view.problems, []);
    assert.deepEqual(view.resourceIds, { 'a.shop': '1', 'b.shop': '2' });
  });

  it('are refused, not taken without it, where a list or an object stands in place of a text', () => {
    for (const field of ['parameters', 'cpuseconds', 'sha256']) {
      assert.deepEqual(reasonsOf([{ ...REDIS, [field]: [300] }]), [`"${field}" is no text`]);
      assert.deepEqual(reasonsOf([{ ...REDIS, [field]: { a: 1 } }]), [`"${field}" is no text`]);
    }
    assert.deepEqual(reasonsOf([{ ...REDIS, measurement_type: ['PLUGIN'] }]), [
      '"measurement_type" is missing or no text',
    ]);
    assert.deepEqual(reasonsOf([{ ...REDIS, parameters: null, labels: ['x'], owner: { a: 1 } }]), []);
  });

  it('about the host are kept as they are, and others are ignored without a word', () => {
    const view = viewOf([
      {
        measurement_type: 'PORT',
        name: 'PORT.redis.6379',
        port: 6379,
        connect_timeout: '2',
        extra: { a: 1 },
      },
      { measurement_type: 'CPU', interval: '10' },
      { measurement_type: 'HEALTH', name: 'x' },
    ]);
    assert.deepEqual(view.problems, []);
    assert.deepEqual(view.hostItems, [
      {
        namespace: 'cache.shop',
        type: 'PORT',
        fields: { measurement_type: 'PORT', name: 'PORT.redis.6379', port: '6379', connect_timeout: '2' },
      },
      { namespace: 'cache.shop', type: 'CPU', fields: { measurement_type: 'CPU', interval: '10' } },
    ]);
  });

  it('that have a mistake say which plugin they are about, where their git address is one', () => {
    const { plugins, mistakenPlugins, problems } = viewOf([
      { ...REDIS, memory: 'lots' },
      { ...REDIS, git: 'git@git.example.com:monitor/other.git', name: 'no name' },
      { ...REDIS, git: 'ext::sh -c id', memory: 'lots' },
      { ...REDIS, git: 7, measurement_type: 'GOPLUGIN' },
      'no item',
    ]);
    assert.deepEqual([plugins.length, problems.length], [0, 5]);
    assert.deepEqual(
      mistakenPlugins,
      ['redis', 'other'].map((project) => ({ namespace: 'cache.shop', project })),
    );
  });

  it('of the type GOPLUGIN are named and skipped', () => {
    const view = viewOf([{ measurement_type: 'GOPLUGIN', name: 'x', interval: '10', params: {} }]);
    assert.match(view.problems[0]?.reason ?? '', /GOPLUGIN/);
  });

  it('stay as they were where the namespace could not be asked for', () => {
    const first = learn(new Map(), {
      namespaces: new Map([['cache.shop', { id: 'a', items: [REDIS] }]]),
      problems: [],
    });
    const failed = new CodedError('registry', 'it answers HTTP 500');
    const second = learn(first, {
      namespaces: new Map([['cache.shop', { id: 'b', items: failed }]]),
      problems: [],
    });
    const view = buildView(second, RULES, []);
    assert.equal(view.plugins.length, 1);
    assert.deepEqual(view.stale, ['cache.shop']);
    assert.deepEqual(view.resourceIds, { 'cache.shop': 'b' });
    assert.match(view.problems[0]?.reason ?? '', /last known ones: it answers HTTP 500/);
  });

  it('may be many, in many namespaces', () => {
    const items = Array.from({ length: 40 }, (_, i) => ({ ...REDIS, git: `git@h:g/p${i}.git` }));
    const namespaces = new Map(Array.from({ length: 400 }, (_, i) => [`n${i}.shop`, { id: `${i}`, items }]));
    const view = buildView(learn(new Map(), { namespaces, problems: [] }), RULES, []);
    assert.equal(view.plugins.length, 16_000);
    assert.deepEqual(view.problems, []);
  });
});

describe('the namespaces of a host', () => {
  it('are refused one by one where their names are none', () => {
    const { proper, problems } = checkNamespaces(
      [
        'cache.shop',
        '../../etc',
        'Shop',
        '',
        'a..b',
        '__proto__',
        'x'.repeat(57),
        'x'.repeat(56),
        'constructor',
      ],
      'collect.',
    );
    assert.deepEqual(proper, ['cache.shop', 'x'.repeat(56), 'constructor']);
    assert.equal(problems.length, 6);
  });

  it('are not taken at all when they are too many to be true', () => {
    assert.throws(
      () =>
        checkNamespaces(
          Array.from({ length: 5001 }, (_, i) => `n${i}`),
          'collect.',
        ),
      /5001 namespaces, at most 5000/,
    );
  });
});

import type { Restart } from '../config/schema.ts'

/** What happens to the program after a sync, and why: said by the config, or inferred. */
export interface RestartChoice {
  readonly restart: Restart
  /** Half a sentence, e.g. `gunicorn --reload reloads itself`. */
  readonly reason: string
}

/** Programs that have a way to reload themselves, and the words that ask for it. */
const reloaders: readonly (readonly [program: RegExp, words: RegExp])[] = [
  [
    /^(uvicorn|gunicorn|hypercorn|granian|fastapi|litestar|sanic|quart|daphne|watchfiles|uwsgi)$/,
    /^(--reload\b.*|--py-autoreload\b.*|dev)$/,
  ],
  [/^(flask|quart)$/, /^(--debug|--reload)$/],
  [/^(manage\.py|django-admin)$/, /^runserver(_plus)?$/],
  [/^(node|bun|deno|tsx)$/, /^(--watch\b.*|watch|--hot)$/],
  [/^(rails|bin\/rails)$/, /^(s|server)$/],
  [/^(php|php-fpm.*|apache2.*|httpd.*|frankenphp)$/, /.*/],
  [
    /^(nodemon|ts-node-dev|watchexec|watchmedo|entr|air|reflex|cargo-watch|vite|webpack-dev-server|guard|rerun|spring|jurigged)$/,
    /.*/,
  ],
  [
    /^(next|nuxt|astro|vite|remix|ng|vue-cli-service|react-scripts|gatsby|svelte-kit|wrangler|expo)$/,
    /^(dev|serve|start|develop)$/,
  ],
  [/^(npm|pnpm|yarn|bun|composer)$/, /^(dev|watch|start:dev)$/],
  [/^dotnet$/, /^watch$/],
]

/** Programs that read the code of what they run once, at their start. */
const interpreters =
  /^(python[\d.]*|pypy[\d.]*|node|nodejs|deno|bun|tsx|ts-node|ruby|bundle|puma|unicorn|rackup|perl|plackup|starman|java|lua|luajit|php|R|Rscript|julia|elixir|mix|erl|guile|racket|gunicorn|uvicorn|hypercorn|granian|daphne|celery|rq|dramatiq|flask|fastapi|waitress-serve|uwsgi|npm|pnpm|yarn|npx|sidekiq|rails|streamlit|jupyter|sh|bash|dash|ash)$/

/**
 * What a sync asks of a program that the config says nothing about. `command` is the command line of the container,
 * `targets` where files go in it.
 */
export function inferRestart(command: readonly string[] | undefined, targets: readonly string[]): RestartChoice {
  if (!command || command.length === 0) return { restart: 'none', reason: 'what the container runs is not known' }
  // a line for a shell is as good as its words
  const words = command.flatMap((word) => word.split(/[\s;&|()'"]+/)).filter((word) => word !== '')
  const shown = shorten(command.join(' '))
  for (const [program, asks] of reloaders) {
    const at = words.findIndex((word) => program.test(baseOf(word)) || program.test(word))
    const ask = at < 0 ? undefined : words.find((word, index) => (index !== at || asks.source === '.*') && asks.test(word))
    const debugs = words.indexOf('--noreload') >= 0
    if (at >= 0 && ask !== undefined && !debugs)
      return {
        restart: 'none',
        reason: `${baseOf(words[at] ?? '')}${asks.source === '.*' ? '' : ` ${ask}`} takes changed files up by itself`,
      }
  }
  const program = words.find((word) =>
    targets.some((target) => word === target || word.startsWith(`${target.replace(/\/$/, '')}/`)),
  )
  if (program !== undefined) return { restart: 'process', reason: `\`${shown}\` runs ${program}, which is synced` }
  const interpreter = words.find((word) => interpreters.test(baseOf(word)) && !/^(sh|bash|dash|ash)$/.test(baseOf(word)))
  if (interpreter !== undefined || interpreters.test(baseOf(words[0] ?? '')))
    return { restart: 'process', reason: `\`${shown}\` reads its code when it starts` }
  return { restart: 'none', reason: `\`${shown}\` is taken to read its files when it needs them` }
}

function baseOf(word: string): string {
  return word.slice(word.lastIndexOf('/') + 1)
}

function shorten(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ')
  return line.length > 60 ? `${line.slice(0, 57)}…` : line
}

import { dependencyLoop } from '../lib/graph.ts'
import { nearest } from '../lib/nearest.ts'
import type { ConfigProblem } from './check.ts'

type Names = Readonly<Record<string, unknown>>

/**
 * What is wrong between the values of a config: names that lead nowhere, loops, ports that are named twice. Looks at the value as it is written,
 * so that it is told together with what else is wrong. Services that nobody names here may be found in the manifests: they are looked for there.
 */
export function crossCheck(value: unknown, shipped: Names): readonly ConfigProblem[] {
  const { services, profiles } = namesIn(value)
  return [
    ...loops(namesIn(services)),
    ...portsTwice(namesIn(services)),
    ...ofProduction(namesIn(profiles)),
    ...extensions(namesIn(profiles), shipped),
  ]
}

function loops(services: Names): readonly ConfigProblem[] {
  const nodes = Object.entries(services).map(([name, service]) => ({ name, dependsOn: textsIn(namesIn(service)['dependsOn']) }))
  const loop = dependencyLoop(nodes)
  if (!loop) return []
  const [from = '', to = ''] = loop.slice(-2)
  return [
    {
      code: 'PLAN-102',
      path: ['services', from, 'dependsOn', String(textsIn(namesIn(services[from])['dependsOn']).indexOf(to))],
      at: 'value',
      value: to,
      says: `services depend on each other in a loop: ${loop.join(' → ')}`,
      hint: 'Remove one dependsOn of the loop.',
    },
  ]
}

function portsTwice(services: Names): readonly ConfigProblem[] {
  const holders = new Map<unknown, string>()
  return Object.entries(services).flatMap(([name, service]) =>
    listIn(namesIn(service)['ports']).flatMap((port, index): ConfigProblem[] => {
      const { host } = namesIn(port)
      const holder = holders.get(host)
      if (typeof host === 'number' && holder === undefined) holders.set(host, name)
      if (holder === undefined) return []
      const path = ['services', name, 'ports', String(index), 'host']
      return [{ code: 'CONFIG-103', path, at: 'value', value: host, says: `port ${host} is that of ${holder} already` }]
    }),
  )
}

/** What is called production is the manifests as they are: words for it would hold in some verbs only. */
function ofProduction(profiles: Names): readonly ConfigProblem[] {
  if (Object.keys(namesIn(profiles['production'])).length === 0) return []
  return [
    {
      code: 'CONFIG-103',
      path: ['profiles', 'production'],
      at: 'key',
      says: 'production is the manifests as they are, and nothing is laid over them',
      hint: 'Give the profile another name.',
    },
  ]
}

function extensions(profiles: Names, shipped: Names): readonly ConfigProblem[] {
  const known = [...new Set([...Object.keys(shipped), ...Object.keys(profiles)])]
  const extendedBy = (all: Names, name: string): readonly string[] => textsIn(namesIn(all[name])['extends'])
  const unknown = Object.keys(profiles).flatMap((name) =>
    extendedBy(profiles, name).flatMap((base): ConfigProblem[] => {
      if (known.includes(base)) return []
      const better = nearest(base, known)
      const says = `there is no profile '${base}'${better ? `; did you mean '${better}'?` : ''}`
      return [
        {
          code: 'CONFIG-104',
          path: ['profiles', name, 'extends'],
          at: 'value',
          value: base,
          says,
          hint: `Use one of ${known.join(', ')}.`,
        },
      ]
    }),
  )
  // a profile that extends its own name means the shipped one
  const nodes = known.map((name) => ({
    name,
    dependsOn: [...extendedBy(shipped, name), ...extendedBy(profiles, name)].filter((base) => base !== name),
  }))
  const loop = dependencyLoop(nodes)
  if (!loop) return unknown
  // the shipped ones alone are in none
  const at = loop.findLastIndex((base, index) => extendedBy(profiles, loop[index - 1] ?? '').includes(base))
  const path = ['profiles', loop[at - 1] ?? '', 'extends']
  const says = `the profile extends itself: ${loop.join(' → ')}`
  return [...unknown, { code: 'CONFIG-104', path, at: 'value', value: loop[at], says, hint: 'Remove one `extends`.' }]
}

function namesIn(value: unknown): Names {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Names) : {}
}

function listIn(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

/** A text, or the texts of a list. */
function textsIn(value: unknown): readonly string[] {
  return (Array.isArray(value) ? value : [value]).filter((one) => typeof one === 'string')
}

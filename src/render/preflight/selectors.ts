import { nearest } from '../../lib/nearest.ts'
import { nameOf } from '../../lib/objects.ts'
import { Field } from './field.ts'
import type { Finding } from './finding.ts'
import { isSelected, type Labels, type Pods, type Stack } from './stack.ts'

/** Selectors that fit nothing: of workloads that do not fit their own template, and of what is meant for pods and finds none. */
export function emptySelectors(stack: Stack): readonly Finding[] {
  return [...ownSelectors(stack), ...selectorsOfOthers(stack)]
}

/** The pods that carry all of the labels; none where there are no labels. */
export function podsWith({ pods }: Stack, labels: Labels): readonly Pods[] {
  const wanted = Object.entries(labels)
  return wanted.length === 0 ? [] : pods.filter((one) => wanted.every(([key, value]) => one.labels[key] === value))
}

/** The API server refuses these. @see https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#selector */
function ownSelectors(stack: Stack): readonly Finding[] {
  return stack.pods.flatMap(({ workload, manifest, labels }) => {
    const selector = Field.of(manifest).get('spec', 'selector')
    if (!['Deployment', 'StatefulSet', 'DaemonSet', 'ReplicaSet'].includes(manifest.object.kind)) return []
    if (selector.value === undefined || isSelected(selector, labels)) return []
    return [
      {
        severity: 'failure' as const,
        code: 'RENDER-203' as const,
        message: `${stack.placeOf(selector)}: ${workload}: its selector does not fit the labels of its own pods, ${shown(labels)}.`,
        hint: 'Write the same labels in spec.selector.matchLabels and spec.template.metadata.labels.',
        object: workload,
      },
    ]
  })
}

function selectorsOfOthers(stack: Stack): readonly Finding[] {
  const kinds = {
    Service: ['selector'],
    PodDisruptionBudget: ['selector', 'matchLabels'],
    NetworkPolicy: ['podSelector', 'matchLabels'],
  }
  return Object.entries(kinds).flatMap(([kind, way]) =>
    [...stack.of(kind).values()].flatMap((manifest) => {
      const selector = Field.of(manifest).get('spec', ...way)
      const wanted = selector.labels
      if (Object.keys(wanted).length === 0 || podsWith(stack, wanted).length > 0 || isOfOperator(stack, wanted)) return []
      // the labels that pods have in place of those that are asked for
      const near = new Map(
        stack.pods.map(({ labels, workload }) => {
          const same = Object.fromEntries(
            Object.keys(wanted).flatMap((key) => (labels[key] === undefined ? [] : [[key, labels[key]]])),
          )
          return [shown(same), workload]
        }),
      )
      const better = nearest(shown(wanted), [...near.keys()])
      return [
        {
          severity: 'warning' as const,
          code: 'RENDER-203' as const,
          message: `${stack.placeOf(selector)}: ${nameOf(manifest.object)}: no pod of the manifests has the labels ${shown(wanted)}.`,
          hint: better
            ? `Did you mean ${better}, as the pods of ${near.get(better)} have?`
            : 'Correct the selector, or the labels of the pods that are meant.',
          object: nameOf(manifest.object),
        },
      ]
    }),
  )
}

/** Pods that an operator makes carry the name of what it makes them of. */
function isOfOperator({ foreign }: Stack, wanted: Labels): boolean {
  return foreign.some(({ object }) => Object.values(wanted).some((value) => value.includes(object.metadata.name)))
}

function shown(labels: Labels): string {
  return (
    Object.entries(labels)
      .map(([key, value]) => `${key}=${value}`)
      .join(', ') || 'none'
  )
}

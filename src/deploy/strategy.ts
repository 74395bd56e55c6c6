import type { KubeObject } from '../lib/objects.ts'
import { isRecord } from '../lib/record.ts'
import { groupOf } from '../lib/select.ts'
import { type FieldSet, managedFieldsOf } from './managed-fields.ts'
import { isByHand } from './refusal.ts'

/** Kinds whose `rollingUpdate` may be there for the type RollingUpdate alone, by the field that it is in. */
const strategyFields: Readonly<Record<string, string>> = { 'apps/Deployment': 'strategy', 'apps/StatefulSet': 'updateStrategy' }

/** A live object, what it is to become, and whether fields are taken from controllers for it. */
export interface Aim {
  readonly live: KubeObject
  readonly wanted: KubeObject
  readonly forceConflicts?: boolean | undefined
}

/**
 * The path of a `rollingUpdate` that the type wanted now forbids: the server has set it by default for the type before. Nobody owns it, so that
 * an apply, which takes away only what its manager owned, would leave it there and be refused. One that a controller owns is no default.
 */
export function forbiddenDefault({ live, wanted, forceConflicts }: Aim): readonly string[] | undefined {
  const field = strategyFieldOf(wanted)
  if (!field) return undefined
  const { type = 'RollingUpdate', rollingUpdate } = recordIn(specOf(wanted), field)
  const isLeft = recordIn(specOf(live), field)['rollingUpdate'] !== undefined
  if (!isLeft || type === 'RollingUpdate' || rollingUpdate) return undefined
  const path = ['spec', field, 'rollingUpdate']
  const controllers = managedFieldsOf(live).filter(({ manager = '' }) => !isByHand({ manager }))
  return forceConflicts || !controllers.some(({ fieldsV1 = {} }) => isIn(fieldsV1, path)) ? path : undefined
}

function isIn(set: FieldSet, path: readonly string[]): boolean {
  return path.reduce<FieldSet | undefined>((at, name) => at?.[`f:${name}`], set) !== undefined
}

/** An object with the strategy of another: what is left of a change that only the type of the strategy keeps from being tried. */
export function withStrategyOf(other: KubeObject, object: KubeObject): KubeObject {
  const field = strategyFieldOf(object)
  return field ? { ...object, spec: { ...specOf(object), [field]: specOf(other)[field] } } : object
}

/** An object without a `rollingUpdate: null`: people say so that there be none, and the server takes it for what is there already. */
export function withoutNullParameters(object: KubeObject): KubeObject {
  const field = strategyFieldOf(object) ?? ''
  const { rollingUpdate, ...strategy } = recordIn(specOf(object), field)
  return rollingUpdate === null ? { ...object, spec: { ...specOf(object), [field]: strategy } } : object
}

function strategyFieldOf(object: KubeObject): string | undefined {
  return strategyFields[`${groupOf(object)}/${object.kind}`]
}

function specOf(object: KubeObject): Readonly<Record<string, unknown>> {
  return recordIn(object, 'spec')
}

function recordIn(parent: Readonly<Record<string, unknown>>, field: string): Readonly<Record<string, unknown>> {
  const value = parent[field]
  return isRecord(value) ? value : {}
}

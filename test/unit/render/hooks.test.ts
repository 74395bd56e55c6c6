import { expect, test } from 'vitest'
import type { KubeObject } from '../../../src/lib/objects.ts'
import { profiled } from '../../../src/render/transforms/report.ts'
import { inputFor, manifestOf, under } from './rig.ts'

const hooked = (hook: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'probe', namespace: 'shop', annotations: { 'helm.sh/hook': hook } },
})

test.each(['pre-install', 'post-upgrade', 'test, post-install', ''])('a hook for %j is applied', (hook) => {
  expect(under({}, hooked(hook))).toEqual(hooked(hook))
})

test.each(['test', 'pre-delete, post-delete', 'pre-rollback', 'test-success'])(
  'a hook for %j is not, and that is told',
  (hook) => {
    expect(under({}, hooked(hook))).toBeUndefined()
    expect(profiled([manifestOf(hooked(hook))], inputFor({}), {}).remarks).toEqual([
      `Pod/probe left out: it is a hook of Helm for ${hook}, and \`up\` is none of that (devkit: hooks)`,
    ])
  },
)

const argo = (hook: string): KubeObject => ({
  ...hooked('test'),
  metadata: { name: 'probe', namespace: 'shop', annotations: { 'helm.sh/hook': 'test', 'argocd.argoproj.io/hook': hook } },
})

test.each(['PreSync', 'Skip, PostSync', 'Sync'])('a hook of Argo CD for %j is applied, whatever Helm would do', (hook) => {
  expect(under({}, argo(hook))).toEqual(argo(hook))
})

test.each(['Skip', 'SyncFail', 'PreDelete'])('a hook of Argo CD for %j is not, and that is told', (hook) => {
  expect(profiled([manifestOf(argo(hook))], inputFor({}), {}).remarks).toEqual([
    `Pod/probe left out: it is a hook of Argo CD for ${hook}, and \`up\` is none of that (devkit: hooks)`,
  ])
})

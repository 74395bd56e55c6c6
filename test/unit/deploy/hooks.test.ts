import { expect, test } from 'vitest'
import { deletePoliciesOf, isOccasional } from '../../../src/lib/hooks.ts'

const policies = (annotations: Readonly<Record<string, string>>): readonly string[] => [
  ...deletePoliciesOf({ apiVersion: 'batch/v1', kind: 'Job', metadata: { name: 'migrate', annotations } }),
]

test.each([
  [{ 'helm.sh/hook': 'pre-install' }, []],
  [{ 'helm.sh/hook': 'pre-install', 'helm.sh/hook-delete-policy': 'before-hook-creation, hook-succeeded' }, ['succeeded']],
  [{ 'helm.sh/hook': 'pre-install', 'helm.sh/hook-delete-policy': 'hook-failed,hook-succeeded' }, ['failed', 'succeeded']],
  [{ 'argocd.argoproj.io/hook': 'Sync', 'argocd.argoproj.io/hook-delete-policy': 'HookFailed' }, ['failed']],
  [{ 'argocd.argoproj.io/hook': 'Sync', 'helm.sh/hook-delete-policy': 'hook-succeeded' }, ['succeeded']],
  [{ 'argocd.argoproj.io/hook': 'Sync', 'argocd.argoproj.io/hook-delete-policy': 'BeforeHookCreation' }, []],
  // what is no hook has no such policy
  [{ 'helm.sh/hook-delete-policy': 'hook-succeeded' }, []],
])('delete policies of %j', (annotations, wanted) => {
  expect(policies(annotations)).toEqual(wanted)
})

test.each([
  [{ 'helm.sh/hook': 'pre-upgrade' }, true],
  [{ 'helm.sh/hook': 'pre-delete,test' }, true],
  [{ 'helm.sh/hook': 'post-install,pre-upgrade' }, false],
  [{ 'argocd.argoproj.io/hook': 'SyncFail' }, true],
  [{ 'argocd.argoproj.io/hook': 'PreSync,SyncFail' }, false],
  [{}, false],
])('whether a hook of %j is for an occasion alone', (annotations, wanted) => {
  expect(isOccasional({ apiVersion: 'batch/v1', kind: 'Job', metadata: { name: 'migrate', annotations } })).toBe(wanted)
})

import { expect, test } from 'vitest'
import { byKind, type Sequence, type Stage, sequence, wrongWaves } from '../../../src/deploy/sequence.ts'
import type { Manifest } from '../../../src/lib/objects.ts'

const versions: Readonly<Record<string, string>> = {
  Job: 'batch/v1',
  Deployment: 'apps/v1',
  CustomResourceDefinition: 'apiextensions.k8s.io/v1',
}
const manifest = (name: string, annotations: Readonly<Record<string, string>> = {}): Manifest => {
  const [kind = '', object = ''] = name.split('/')
  return {
    object: { apiVersion: versions[kind] ?? 'v1', kind, metadata: { name: object, annotations } },
    origin: { file: 'k8s/all.yaml', line: 7 },
  }
}
const helm = (name: string, hook: string, weight?: string): Manifest =>
  manifest(name, { 'helm.sh/hook': hook, ...(weight !== undefined && { 'helm.sh/hook-weight': weight }) })
const argo = (name: string, hook: string, wave?: string): Manifest =>
  manifest(name, { 'argocd.argoproj.io/hook': hook, ...(wave !== undefined && { 'argocd.argoproj.io/sync-wave': wave }) })
const inWave = (name: string, wave: string): Manifest => manifest(name, { 'argocd.argoproj.io/sync-wave': wave })

const install = { isUpgrade: false }
const upgrade = { isUpgrade: true }
const namesIn = (stage: Stage): readonly string[] => stage.map(({ object }) => object.metadata.name)
const namesOf = (sequence: Sequence, part: Exclude<keyof Sequence, 'basis'>): readonly (readonly string[])[] =>
  sequence[part].map(namesIn)

test('what says nothing of an order is one stage', () => {
  const all = sequence([manifest('Deployment/web'), manifest('Job/once'), manifest('Service/web')], install)
  expect(namesOf(all, 'sync')).toEqual([['web', 'once', 'web']])
  expect([all.basis, all.before, all.afterApplied, all.afterReady]).toEqual([[], [], [], []])
  expect(sequence([], install).sync).toEqual([[]])
})

test('within a stage what others need goes first, workloads last', () => {
  const all = ['Deployment/web', 'Widget/w', 'ConfigMap/c', 'Secret/s', 'ServiceAccount/a'].map((name) => manifest(name))
  expect(byKind(all).map((group) => group.map(({ object }) => object.kind))).toEqual([
    ['ServiceAccount'],
    ['Secret'],
    ['ConfigMap'],
    ['Widget'],
    ['Deployment'],
  ])
})

test('hooks of Helm run one after another, by weight as a number, kind and name', () => {
  const all = [
    helm('Job/b', 'pre-install'),
    helm('Job/ten', 'pre-install', '10'),
    helm('Job/nine', 'pre-install', '9'),
    helm('Job/early', 'pre-install', '-5'),
    helm('Job/a', 'pre-install', '0'),
    helm('ConfigMap/z', 'pre-install'),
  ]
  expect(namesOf(sequence(all, install), 'before')).toEqual([['early'], ['z'], ['a'], ['b'], ['nine'], ['ten']])
})

test('a hook for after an install and before an upgrade runs when each of them says', () => {
  const all = [manifest('Deployment/web'), helm('Job/migrate', 'post-install, pre-upgrade')]
  expect(namesOf(sequence(all, install), 'afterApplied')).toEqual([['migrate']])
  expect(namesOf(sequence(all, install), 'before')).toEqual([])
  expect(namesOf(sequence(all, upgrade), 'before')).toEqual([['migrate']])
  expect(namesOf(sequence(all, upgrade), 'afterApplied')).toEqual([])
})

test('a hook for an upgrade alone is for none at an install; one for an install alone is made up for at an upgrade', () => {
  const all = [helm('Job/up', 'pre-upgrade'), helm('Job/in', 'pre-install')]
  expect(namesOf(sequence(all, install), 'before')).toEqual([['in']])
  expect(namesOf(sequence(all, upgrade), 'before')).toEqual([['in'], ['up']])
})

test('hooks of Argo CD run in their phase, those of a wave at once', () => {
  const all = [
    argo('Job/smoke', 'PostSync'),
    argo('Job/b', 'PreSync'),
    argo('Job/a', 'PreSync'),
    argo('Job/first', 'PreSync', '-1'),
    argo('Job/with', 'Sync'),
    manifest('Deployment/web'),
  ]
  const found = sequence(all, install)
  expect(namesOf(found, 'before')).toEqual([['first'], ['a', 'b']])
  expect(namesOf(found, 'sync')).toEqual([['web', 'with']])
  expect(namesOf(found, 'afterReady')).toEqual([['smoke']])
})

test('a hook of several phases of Argo CD is in each of them', () => {
  const found = sequence([argo('Job/check', 'PostSync,PreSync'), argo('Job/never', 'Skip')], install)
  expect([namesOf(found, 'before'), namesOf(found, 'sync'), namesOf(found, 'afterReady')]).toEqual([
    [['check']],
    [[]],
    [['check']],
  ])
})

test('a hook for a failure is in nothing else', () => {
  const found = sequence([argo('Job/alarm', 'SyncFail'), argo('Job/check', 'PreSync')], install)
  expect([namesOf(found, 'before'), namesOf(found, 'sync'), namesOf(found, 'afterFailure')]).toEqual([
    [['check']],
    [[]],
    [['alarm']],
  ])
})

test('sync waves are stages, from negative ones on', () => {
  const all = [
    inWave('Deployment/web', '10'),
    inWave('Job/migrate', '2'),
    manifest('ConfigMap/c'),
    inWave('StatefulSet/db', '-1'),
  ]
  expect(namesOf(sequence(all, install), 'sync')).toEqual([['db'], ['c'], ['migrate'], ['web']])
})

test('Argo CD’s word goes before Helm’s', () => {
  const both = manifest('Job/both', { 'helm.sh/hook': 'post-install', 'argocd.argoproj.io/hook': 'PreSync' })
  expect(namesOf(sequence([both], install), 'before')).toEqual([['both']])
  const unknown = manifest('Job/both', { 'helm.sh/hook': 'post-install', 'argocd.argoproj.io/hook': 'BeforeSync' })
  expect(namesOf(sequence([unknown], install), 'afterApplied')).toEqual([['both']])
})

test('kinds and what even hooks need are there before hooks', () => {
  const all = [
    argo('Job/a', 'PreSync', '-9'),
    manifest('CustomResourceDefinition/widgets'),
    manifest('Secret/own'),
    manifest('Secret/s'),
  ]
  const found = sequence(all, { isUpgrade: false, isNeededFirst: ({ metadata }) => metadata.name === 'own' })
  expect(namesIn(found.basis)).toEqual(['widgets', 'own'])
  expect(namesOf(found, 'before')).toEqual([['a']])
  expect(namesOf(found, 'sync')).toEqual([['s']])
})

test('every wave and weight that is no whole number is told with its place', () => {
  const all = [inWave('Job/a', 'first'), helm('Job/b', 'pre-install', '1.5'), inWave('Job/c', '010'), inWave('Job/d', '+3')]
  expect(all.flatMap(wrongWaves)).toMatchObject([
    {
      code: 'RENDER-110',
      message: 'argocd.argoproj.io/sync-wave of Job/a is "first", which is no whole number (k8s/all.yaml:7).',
    },
    { code: 'RENDER-110', message: 'helm.sh/hook-weight of Job/b is "1.5", which is no whole number (k8s/all.yaml:7).' },
  ])
})

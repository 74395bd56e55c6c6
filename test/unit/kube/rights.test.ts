import { expect, test } from 'vitest'
import { apiFailure } from '../../../src/kube/api.ts'

const status = (message: string, details = {}): string => JSON.stringify({ reason: 'Forbidden', message, details })
const patch = { method: 'PATCH', path: '/apis/apps/v1/namespaces/shop/deployments/web' } as const
const get = (path: string, query = {}) => ({ method: 'GET', path, query }) as const

test('the right that was lacking is what the server says, a check of creation within a patch too', () => {
  const message =
    'deployments.apps "web" is forbidden: User "ann" cannot create resource "deployments" in API group "apps" in the namespace "shop": no'
  expect(apiFailure(403, status(message, { name: 'web', group: 'apps', kind: 'deployments' }), { asked: patch }).denied).toEqual({
    user: 'ann',
    verb: 'create',
    resource: 'deployments',
    group: 'apps',
    namespace: 'shop',
  })
  expect(apiFailure(403, status('forbidden: User "ann" cannot get path "/apis"'), { asked: get('/apis') }).denied).toMatchObject({
    verb: 'get',
    resource: '/apis',
  })
})

test.each([
  ['roles', 'escalate', 'roles'],
  ['clusterrolebindings', 'bind', 'clusterroles'],
])('who grants in %s what they may not do themselves lacks the right to %s %s', (kind, verb, resource) => {
  const message = `${kind} "web" is forbidden: user "ann" (groups=["a"]) is attempting to grant RBAC permissions not currently held:\n{}`
  const asked = { method: 'PATCH', path: `/apis/rbac.authorization.k8s.io/v1/namespaces/shop/${kind}/web` } as const
  expect(apiFailure(403, status(message), { asked }).denied).toMatchObject({ user: 'ann', verb, resource, namespace: 'shop' })
})

test('who writes and is refused by a quota or a policy lacks no right', () => {
  expect(apiFailure(403, status('pods "web" is forbidden: exceeded quota: small'), { asked: patch }).denied).toBe(undefined)
})

test.each([
  [get('/api/v1/namespaces/shop/pods'), { verb: 'list', resource: 'pods', group: '', namespace: 'shop' }],
  [get('/api/v1/namespaces/shop/pods', { watch: 'true' }), { verb: 'watch', resource: 'pods', group: '', namespace: 'shop' }],
  [
    get('/apis/apps/v1/namespaces/shop/deployments/web'),
    { verb: 'get', resource: 'deployments', group: 'apps', namespace: 'shop' },
  ],
  [get('/api/v1/namespaces/shop'), { verb: 'get', resource: 'namespaces', group: '', namespace: undefined }],
])('who reads and is refused in other words lacks the right to it: $0.path', (asked, denied) => {
  expect(apiFailure(403, status('no'), { asked }).denied).toMatchObject(denied)
})

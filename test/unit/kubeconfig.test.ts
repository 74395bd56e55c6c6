import { expect, test } from 'vitest'
import { withAccess, withoutAccess } from '../../src/cluster/kubeconfig.ts'

const access = { name: 'devkit-shop', cluster: { server: 'https://127.0.0.1:1' }, user: { token: 't' } }

const work = `# mine
apiVersion: v1
clusters:
- cluster: {server: "https://work"} # keep
  name: work
contexts:
- context:
    cluster: work
    user: me
  name: work
current-context: work
kind: Config
users:
- name: me
  user:
    token: secret
`

test.each([
  ['the usual layout', work],
  ['indented lists', work.replace(/^(- | {2})(?=.*(cluster|context|name|user|token))/gm, '  $1')],
  ['an empty list', 'apiVersion: v1\nclusters: []\ncontexts: []\nkind: Config\nusers: []\ncurrent-context: ""\n'],
])('%s: entries come and go, every other byte stays', async (_name, before) => {
  const during = await withAccess(before, access)
  expect(during).toContain('devkit-shop')
  const { parse } = await import('yaml')
  expect(parse(during ?? '').contexts.at(-1)).toEqual({
    name: 'devkit-shop',
    context: { cluster: 'devkit-shop', user: 'devkit-shop' },
  })
  expect(parse(during ?? '')['current-context']).toBe(parse(before)['current-context'])
  expect(await withAccess(during ?? '', access)).toBe(during)
  expect(await withoutAccess(during ?? '', 'devkit-shop')).toBe(before)
})

test('no file: one is made, and nothing of it is left', async () => {
  const made = await withAccess('', access)
  expect(made).toContain('kind: Config')
  expect(await withoutAccess(made ?? '', 'devkit-shop')).toBe('')
})

test('JSON is left alone', async () => {
  expect(await withAccess('{"apiVersion":"v1","clusters":[{"name":"a"}]}', access)).toBeUndefined()
})

import type { ApiFailure, Kube } from '../kube/kube.ts'
import type { KubeObject } from '../lib/objects.ts'

/** What an admission webhook did to a request, and its name. */
export interface WebhookAnswer {
  readonly name: string
  readonly how: 'silent' | 'denied'
}

/**
 * The webhook that an apply was refused for; undefined when it was not. The server names it in its text only.
 * @see https://github.com/kubernetes/apiserver/blob/master/pkg/admission/plugin/webhook/errors/statuserror.go
 */
export function webhookOf({ message }: Pick<ApiFailure, 'message'>): WebhookAnswer | undefined {
  const silent = /failed calling webhook "([^"]+)"/.exec(message)?.[1]
  if (silent !== undefined) return { name: silent, how: 'silent' }
  const denying = /admission webhook "([^"]+)" denied the request/.exec(message)?.[1]
  return denying === undefined ? undefined : { name: denying, how: 'denied' }
}

/** Where a webhook is configured, as `Kind/name`, and the Service behind it, as `NAMESPACE/NAME`; what may not be looked at is left out. */
export async function configurationOf(
  kube: Pick<Kube, 'list'>,
  webhook: string,
  signal: AbortSignal,
): Promise<{ readonly object: string; readonly service: string | undefined } | undefined> {
  for (const kind of ['ValidatingWebhookConfiguration', 'MutatingWebhookConfiguration']) {
    const found = await kube.list({ apiVersion: 'admissionregistration.k8s.io/v1', kind }, signal).catch(() => [])
    signal.throwIfAborted()
    for (const configuration of found) {
      const entry = webhooksIn(configuration).find(({ name }) => name === webhook)
      const service = entry?.clientConfig?.service
      if (entry)
        return {
          object: `${kind}/${configuration.metadata.name}`,
          service: service && `${service.namespace}/${service.name}`,
        }
    }
  }
  return undefined
}

/** A webhook, as far as devkit reads it. */
export interface Webhook {
  readonly name: string
  readonly clientConfig?: { readonly service?: { readonly namespace: string; readonly name: string } }
}

/** The webhooks of a configuration. */
export function webhooksIn(configuration: KubeObject): readonly Webhook[] {
  return (configuration['webhooks'] as readonly Webhook[] | undefined) ?? []
}

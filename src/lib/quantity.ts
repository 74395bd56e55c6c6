/** Kubernetes' units, each in base units. https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/ */
const units: Readonly<Record<string, number>> = {
  ...Object.fromEntries(['n', 'u', 'm', '', 'k', 'M', 'G', 'T', 'P', 'E'].map((unit, index) => [unit, 10 ** (3 * index - 9)])),
  ...Object.fromEntries(['Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'].map((unit, index) => [unit, 1024 ** (index + 1)])),
}

/** A quantity such as `250m`, `1.5Gi`, `2` or `1e3` in base units (CPUs, bytes); undefined where it is none. */
export function amountOf(quantity: string | number): number | undefined {
  const [, digits, unit = ''] = /^([+-]?\d*\.?\d+(?:[eE][+-]?\d+)?|[+-]?\d+\.)([a-zA-Z]{0,2})$/.exec(String(quantity)) ?? []
  const factor = Object.hasOwn(units, unit) ? units[unit] : undefined
  return digits === undefined || factor === undefined ? undefined : Number(digits) * factor
}

/** An amount as people write it: CPU in thousandths, anything else in the largest binary unit that keeps three digits; never nothing. */
export function quantityOf(amount: number, resource: string): string {
  if (resource === 'cpu') return `${Math.max(1, Math.round(amount * 1000))}m`
  const unit =
    ['Gi', 'Mi', 'Ki'].find((name) => amount % (units[name] ?? 1) === 0) ??
    ['Mi', 'Ki'].find((name) => amount >= 100 * (units[name] ?? 1)) ??
    ''
  return `${Math.max(1, Math.round(amount / (units[unit] ?? 1)))}${unit}`
}

/** Counters of this instance, in the text form of Prometheus. A platform has many instances: sum them. */
export interface Metrics {
  count(name: string, labels?: Readonly<Record<string, string>>): void
  format(gauges: Readonly<Record<string, number>>): string
}

export function createMetrics(): Metrics {
  const counts = new Map<string, number>()
  return {
    count(name, labels = {}) {
      const text = Object.entries(labels)
        .map(([label, value]) => `${label}="${value.replaceAll(/["\\\n]/g, '_')}"`)
        .join(',')
      const key = `edge_${name}_total${text === '' ? '' : `{${text}}`}`
      counts.set(key, (counts.get(key) ?? 0) + 1)
    },
    format(gauges) {
      const lines = [...counts].map(([key, value]) => `${key} ${value}`).toSorted()
      for (const [name, value] of Object.entries(gauges)) lines.push(`edge_${name} ${value}`)
      return `${lines.join('\n')}\n`
    },
  }
}

export function createEgress(_: { allowHosts: string[]; maxResponseBytes: number }) {
  return {};
}

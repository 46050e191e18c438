export async function makeHttpRequest(_a: string, _b: object): Promise<string | undefined> {
  return undefined;
}

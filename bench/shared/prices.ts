/** In USD, without free tiers. They are assumptions, as docs/deploy.md says where it uses them. */
export const PRICE = {
  httpRequest: 1e-6,
  writeUnit: 0.625e-6,
  readUnit: 0.125e-6,
  sqsRequest: 0.4e-6,
  invocation: 0.2e-6,
  gbSecond: 13.3e-6,
  logGb: 0.5,
  storedGbMonth: 0.25,
};

export const GB = 1e9;

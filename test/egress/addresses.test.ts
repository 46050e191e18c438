import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { createAddressPolicy } from "../../lib/egress/addresses.ts";

const REFUSED: [address: string, rule: string][] = [
  ["0.0.0.0", "unspecified address"],
  ["0.1.2.3", "unspecified address"],
  ["10.0.0.1", "private address"],
  ["100.64.0.1", "carrier-grade NAT address"],
  ["127.0.0.1", "loopback address"],
  ["127.255.255.254", "loopback address"],
  ["169.254.169.254", "link-local address"],
  ["169.254.100.1", "link-local address"],
  ["172.16.0.1", "private address"],
  ["172.31.255.255", "private address"],
  ["192.0.0.192", "reserved address"],
  ["192.0.2.1", "reserved address"],
  ["192.88.99.1", "reserved address"],
  ["192.168.1.1", "private address"],
  ["198.18.0.1", "reserved address"],
  ["198.19.255.255", "reserved address"],
  ["198.51.100.1", "reserved address"],
  ["203.0.113.1", "reserved address"],
  ["224.0.0.1", "multicast address"],
  ["240.0.0.1", "reserved address"],
  ["255.255.255.255", "broadcast address"],
  ["::", "unspecified address"],
  ["::1", "loopback address"],
  ["::7f00:1", "IPv4-compatible address"],
  ["::8.8.8.8", "IPv4-compatible address"],
  ["::ffff:127.0.0.1", "loopback address"],
  ["::ffff:a9fe:a9fe", "link-local address"],
  ["::ffff:0:127.0.0.1", "IPv4-translated address"],
  ["64:ff9b::10.0.0.1", "private address"],
  ["64:ff9b::a9fe:a9fe", "link-local address"],
  ["64:ff9b:1::7f00:1", "NAT64 address"],
  ["100::1", "discard address"],
  ["2001::1", "teredo address"],
  ["2001:2::1", "benchmarking address"],
  ["2001:db8::1", "reserved address"],
  ["2002:7f00:1::", "6to4 address"],
  ["2002:808:808::", "6to4 address"],
  ["3fff::1", "reserved address"],
  ["4000::1", "reserved address"],
  ["fc00::1", "unique-local address"],
  ["fd00:ec2::254", "unique-local address"],
  ["fe80::1", "link-local address"],
  ["fe80::1%eth0", "link-local address"],
  ["fec0::1", "site-local address"],
  ["ff02::1", "multicast address"],
  ["", "not an IP address"],
  ["no address", "not an IP address"],
];

const OPEN = [
  "1.1.1.1",
  "8.8.8.8",
  "100.63.255.255",
  "172.32.0.1",
  "198.20.0.1",
  "2606:4700:4700::1111",
  "::ffff:8.8.8.8",
  "64:ff9b::8.8.8.8",
];

/** A rule of the policy, as `(allowed entries, host, port, address)`. */
function isOpen(allowHosts: string[], host: string, port: number, address: string): boolean {
  try {
    createAddressPolicy(allowHosts).check({ host, port }, address);
    return true;
  } catch (error) {
    assert.equal((error as { code?: string }).code, "http-refused");
    return false;
  }
}

for (const [address, rule] of REFUSED) {
  test(`"${address}" is refused as ${rule}`, () => {
    const policy = createAddressPolicy([]);
    assert.throws(() => policy.check({ host: "inside.test", port: 80 }, address), {
      code: "http-refused",
      message: `inside.test (${address}) is refused: ${rule}; to allow it, set HTTP_ALLOW_HOSTS=inside.test`,
    });
  });
}

for (const address of OPEN) {
  test(`${address} is open to everyone`, () => {
    assert.ok(isOpen([], "public.test", 443, address));
  });
}

test("a refused literal address is named once", () => {
  const policy = createAddressPolicy([]);
  assert.throws(() => policy.check({ host: "127.0.0.1", port: 80 }, "127.0.0.1"), {
    message: "127.0.0.1 is refused: loopback address; to allow it, set HTTP_ALLOW_HOSTS=127.0.0.1",
  });
});

test("an allowed name opens its addresses, in any case and with a trailing dot", () => {
  assert.ok(isOpen(["Orders.Internal"], "orders.internal", 80, "10.0.0.1"));
  assert.ok(isOpen(["orders.internal"], "orders.internal.", 80, "10.0.0.1"));
  assert.ok(isOpen(["orders.internal."], "orders.internal", 80, "10.0.0.1"));
  assert.ok(isOpen(["bücher.internal"], "xn--bcher-kva.internal", 80, "10.0.0.1"));
  assert.ok(!isOpen(["orders.internal"], "x.orders.internal", 80, "10.0.0.1"));
  assert.ok(!isOpen(["orders.internal"], "orders.internal.test", 80, "10.0.0.1"));
  assert.ok(!isOpen(["orders.internal"], "10.0.0.1", 80, "10.0.0.1"));
});

test("a wildcard opens the names below it, not the name itself", () => {
  assert.ok(isOpen(["*.internal"], "a.internal", 80, "10.0.0.1"));
  assert.ok(isOpen(["*.internal"], "a.b.internal", 80, "10.0.0.1"));
  assert.ok(!isOpen(["*.internal"], "internal", 80, "10.0.0.1"));
  assert.ok(!isOpen(["*.internal"], "ainternal", 80, "10.0.0.1"));
});

test("a port in an entry opens that port alone", () => {
  for (const entry of ["orders.internal:8080", "10.0.0.1:8080", "10.0.0.0/8:8080"]) {
    assert.ok(isOpen([entry], "orders.internal", 8080, "10.0.0.1"), entry);
    assert.ok(!isOpen([entry], "orders.internal", 80, "10.0.0.1"), entry);
  }
  assert.ok(isOpen(["[fd00::1]:8080"], "fd00::1", 8080, "fd00::1"));
  assert.ok(!isOpen(["[fd00::1]:8080"], "fd00::1", 80, "fd00::1"));
});

test("an address or a network in an entry opens its addresses under every name", () => {
  assert.ok(isOpen(["10.1.0.0/16"], "orders.internal", 80, "10.1.255.255"));
  assert.ok(!isOpen(["10.1.0.0/16"], "orders.internal", 80, "10.2.0.0"));
  assert.ok(isOpen(["10.1.2.3"], "10.1.2.3", 80, "10.1.2.3"));
  assert.ok(!isOpen(["10.1.2.3"], "10.1.2.4", 80, "10.1.2.4"));
  assert.ok(isOpen(["fd00::/8"], "fd12::1", 80, "fd12::1"));
  assert.ok(isOpen(["::1"], "::1", 80, "::1"));
  assert.ok(isOpen(["[::1]"], "::1", 80, "::1"));
  assert.ok(!isOpen(["::1"], "::2", 80, "::2"));
});

test("an IPv4 entry opens the same address inside an IPv6 one", () => {
  assert.ok(isOpen(["127.0.0.1"], "::ffff:7f00:1", 80, "::ffff:7f00:1"));
  assert.ok(isOpen(["10.0.0.0/8"], "64:ff9b::a00:1", 80, "64:ff9b::a00:1"));
  assert.ok(isOpen(["64:ff9b::/96"], "64:ff9b::a00:1", 80, "64:ff9b::a00:1"));
  assert.ok(!isOpen(["10.0.0.0/8"], "::ffff:7f00:1", 80, "::ffff:7f00:1"));
});

const MALFORMED = [
  "",
  " ",
  "*",
  "*.",
  "*.*.internal",
  "a.*.internal",
  "http://orders.internal",
  "orders.internal/path",
  "user@orders.internal",
  "orders.internal:",
  "orders.internal:0",
  "orders.internal:65536",
  "orders.internal:http",
  "orders internal",
  "a,b",
  "a..b",
  ".internal",
  "10.1",
  "010.1.2.3",
  "0x0a.1.2.3",
  "167772161",
  "256.1.1.1",
  "10.0.0.0/33",
  "10.0.0.0/",
  "10.0.0.0/8/8",
  "10.0.0.0/-1",
  "10.0.0.0/1e1",
  "*.10.0.0.1",
  "fd00::/129",
  "fe80::1%eth0",
  "[::1",
  "[::1]8080",
  "[orders.internal]",
];

for (const entry of MALFORMED) {
  test(`the entry "${entry}" stops the start, with the entry and an example in the message`, () => {
    assert.throws(
      () => createAddressPolicy(["fine.internal", entry]),
      (error: Error & { code?: string }) =>
        error.code === "setting-invalid" &&
        error.message.includes(`"${entry}"`) &&
        error.message.includes("10.1.0.0/16"),
    );
  });
}

test("any text as an entry is a rule or a setting-invalid error", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.ipV4(), fc.ipV6(), fc.domain(), fc.webAuthority()), (entry) => {
      try {
        createAddressPolicy([entry]).check({ host: "public.test", port: 80 }, "8.8.8.8");
      } catch (error) {
        assert.equal((error as { code?: string }).code, "setting-invalid");
      }
    }),
  );
});

test("any text as an address is open or refused, and an IPv4 address fares alike inside IPv6", () => {
  const policy = createAddressPolicy([]);
  const isRefused = (address: string) => {
    try {
      policy.check({ host: "public.test", port: 80 }, address);
      return false;
    } catch (error) {
      assert.equal((error as { code?: string }).code, "http-refused");
      return true;
    }
  };
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.ipV6()), (address) => {
      isRefused(address);
    }),
  );
  fc.assert(fc.property(fc.ipV4(), (address) => isRefused(address) === isRefused(`::ffff:${address}`)));
});

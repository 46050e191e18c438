import { isIP, isIPv4, isIPv6 } from "node:net";
import ipaddr from "ipaddr.js";
import { AppError } from "../errors.ts";

/** Which addresses scripts and webhooks may reach. */
export interface AddressPolicy {
  /** Throws http-refused unless a connection to this address, for this host and port, may be opened. */
  check(destination: Destination, address: string): void;
}

/** The destination of a request, before its host is resolved. */
export interface Destination {
  /** As in a URL, in lower case; IPv6 without brackets. */
  host: string;
  port: number;
}

type Address = ipaddr.IPv4 | ipaddr.IPv6;
type Exception = (destination: Destination, forms: Address[]) => boolean;

/** Returns a text for the error about how to allow a host. */
export type HowToAllow = (host: string) => string;

const bySetting: HowToAllow = (host) => `to allow it, set HTTP_ALLOW_HOSTS=${host}`;

/** Allows public unicast addresses only; each entry of `allowHosts` allows more. */
export function createAddressPolicy(allowHosts: string[], howToAllow = bySetting): AddressPolicy {
  const exceptions = allowHosts.map(parseException);
  return {
    check(destination, address) {
      const forms = formsOf(address);
      const rule = refusedBy(forms);
      if (rule === undefined || exceptions.some((opens) => opens(destination, forms))) return;
      const { host } = destination;
      const name = host === address ? host : `${host} (${address})`;
      throw new AppError("http-refused", `${name} is refused: ${rule}; ${howToAllow(host)}`);
    },
  };
}

const RULES: Record<string, string> = {
  linkLocal: "link-local address",
  carrierGradeNat: "carrier-grade NAT address",
  uniqueLocal: "unique-local address",
  deprecatedSiteLocal: "site-local address",
  ipv4Mapped: "IPv4-mapped address",
  rfc6145: "IPv4-translated address",
  rfc6052: "NAT64 address",
};
const GLOBAL_UNICAST: [ipaddr.IPv6, number] = [ipaddr.IPv6.parse("2000::"), 3];
const COMPATIBLE: [ipaddr.IPv6, number] = [ipaddr.IPv6.parse("::"), 96];
const NAT64: [ipaddr.IPv6, number] = [ipaddr.IPv6.parse("64:ff9b::"), 96];

/** The address, preceded by the IPv4 address that is checked instead; empty if the text is not an address. */
function formsOf(text: string): Address[] {
  if (isIP(text) === 0) return [];
  const address = parseAddress(text);
  if (!(address instanceof ipaddr.IPv6)) return [address];
  if (address.isIPv4MappedAddress()) return [address.toIPv4Address(), address];
  // A subnet with DNS64 reaches every IPv4 host under this prefix, so the embedded address is checked.
  // https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-nat64-dns64.html
  if (address.match(NAT64)) return [new ipaddr.IPv4(address.toByteArray().slice(12)), address];
  return [address];
}

/** For texts that isIP accepts. A zone is not part of the address: it names an interface. */
function parseAddress(text: string): Address {
  if (isIPv4(text)) return ipaddr.IPv4.parse(text);
  // Normalised by URL, since ipaddr.js reads the old form `::8.8.8.8` as `::ffff:8.8.8.8`, which is another address.
  const { hostname } = new URL(`http://[${text.replace(/%.*$/s, "")}]`);
  return ipaddr.IPv6.parse(hostname.slice(1, -1));
}

function refusedBy([address]: Address[]): string | undefined {
  if (address === undefined) return "not an IP address";
  const range: string = address.range();
  if (range !== "unicast") return RULES[range] ?? `${range} address`;
  if (address instanceof ipaddr.IPv4 || address.match(GLOBAL_UNICAST)) return undefined;
  // ipaddr.js reports any address outside the ranges that it knows as unicast; IANA has allocated 2000::/3 only.
  // https://www.iana.org/assignments/ipv6-address-space
  return address.match(COMPATIBLE) ? "IPv4-compatible address" : "reserved address";
}

function parseException(entry: string): Exception {
  const bare = isIPv6(entry.split("/", 1)[0] ?? ""); // its last colon does not precede a port
  const [, target = "", digits] = bare ? [entry, entry] : (/^(.*?)(?::(\d{1,5}))?$/.exec(entry) ?? []);
  const port = digits === undefined ? undefined : Number(digits);
  const opens = exceptionForNetwork(target) ?? exceptionForName(target);
  if (opens === undefined || port === 0 || (port ?? 0) > 65_535) {
    const example = "orders.internal, *.internal:8443, 10.1.0.0/16, 10.1.2.3:8080 or [fd00::1]:8080";
    throw new AppError("setting-invalid", `HTTP_ALLOW_HOSTS: "${entry}" must be like ${example}`);
  }
  return (destination, forms) =>
    (port === undefined || port === destination.port) && opens(destination, forms);
}

function exceptionForNetwork(text: string): Exception | undefined {
  const [, unbracketed = text] = /^\[(.*)\]$/.exec(text) ?? [];
  const [address = "", prefix, ...rest] = unbracketed.split("/");
  const size = isIPv4(address) ? 32 : isIPv6(address) && !address.includes("%") ? 128 : 0;
  const bits = prefix === undefined ? size : Number(prefix);
  if (size === 0 || bits > size || rest.length > 0 || !/^\d{1,3}$/.test(prefix ?? "0")) return undefined;

  const network = parseAddress(address);
  return (_destination, forms) =>
    forms.some((form) => form.kind() === network.kind() && form.match(network, bits));
}

function exceptionForName(text: string): Exception | undefined {
  const [, wildcard, written = ""] = /^(\*\.)?((?:[\p{L}\p{N}_-]+\.)*[\p{L}\p{N}_-]+)\.?$/u.exec(text) ?? [];
  if (!URL.canParse(`http://${written}`)) return undefined;
  const { hostname } = new URL(`http://${written}`);
  // "10.1" is not a name: in a URL it is 10.0.0.1, which the entry would not allow.
  if (isIP(hostname) !== 0) return undefined;
  return ({ host }) => {
    const name = host.replace(/\.$/, "");
    return wildcard === undefined ? name === hostname : name.endsWith(`.${hostname}`);
  };
}

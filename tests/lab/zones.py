# SPDX-License-Identifier: Apache-2.0
"""Writes and signs the lab's zones: the root, the top-level zones and one zone per domain."""

import os
import re
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pki
from table import ROOT_NS, TLD_NS, ZONE_NS

DAY = 86400
SIGNATURE_DAYS = 30
ALGORITHM = "ECDSAP256SHA256"
PRIVATE_ALGORITHM = "250"  # in the range no validator implements
# Short, so that a test that changes a zone needs no patience.
TTL = 60


def head(zone, server, ttl=TTL):
    dot = "." if zone == "." else zone + "."
    return [f"$ORIGIN {dot}", f"$TTL {ttl}",
            f"@ IN SOA {server} hostmaster.nic.test. 1 3600 600 864000 {ttl}",
            f"@ IN NS {server}"]


def sts_texts(sts):
    """The strings of each TXT record at _mta-sts, as a zone file has them."""
    good = '"v=STSv1; id=20260101000000Z;"'
    return {
        "good": [good],
        "none": [],
        "duplicate": [good, '"v=STSv1; id=2;"'],
        "v10-beside": [good, '"v=STSv10; id=3;"'],
        "invalid": ['"v=STSv1; id=not-alphanumeric!"'],
        "cname": [good],
        "split": ['"v=STSv" "1; id=2026010" "1000000Z;"'],
        "spf-beside": ['"v=spf1 -all"', good],
        "extended": ['"v=STSv1; a.b=c; id=20260101000000Z; later=x"'],
        "no-id": ['"v=STSv1; a=b;"'],
        "long-id": [f'"v=STSv1; id={"1" * 33};"'],
        "upper": ['"V=STSv1; id=20260101000000Z;"'],
    }[sts.txt]


def sts_records(domain):
    sts, texts = domain.sts, sts_texts(domain.sts)
    yield from named("_mta-sts", sts.txt == "cname", [f"TXT {text}" for text in texts])
    if sts.https != "no-address":
        addresses = [sts.dead_ip, sts.ip] if sts.dead_ip else [sts.ip]
        yield from named("mta-sts", sts.https == "cname",
                         [f"{address_type(ip)} {ip}" for ip in addresses])


def named(name, alias, records):
    """Records at this name, or at another one to which it is an alias."""
    if alias:
        yield f"{name} IN CNAME {name}.hosted"
    yield from (f"{name}{'.hosted' if alias else ''} IN {record}" for record in records)


def address_type(ip):
    return "AAAA" if ":" in ip else "A"


def host_records(table, host, leafs, authority):
    if host.cname:
        yield f"{host.name}. IN CNAME {host.cname}."
    yield from (f"{host.at or host.name}. IN {address_type(ip)} {ip}" for ip in host.addresses())
    if host.tlsa_at:
        yield f"_25._tcp.{host.name}. IN CNAME {host.tlsa_at}."
    owner = host.tlsa_at or host.tlsa_owner or "_25._tcp." + host.name
    for kind in host.tlsa:
        leaf = leafs[table.server_of(host.name).name]
        yield f"{owner}. IN TLSA {pki.tlsa(kind, leaf, authority.certificate)}"


def zone_texts(table, leafs, authority):
    """The unsigned zones of the second level: name -> lines."""
    texts = {name: head(name, "zone.nic.test.",
                        table.zone_options.get(name, {}).get("ttl", TTL))
             for name, kind in table.zones.items() if kind != "absent"}
    for domain in table.domains:
        for preference, host in domain.mx:
            dot = "." if host == "." else host + "."
            texts[domain.name].append(f"@ IN MX {preference} {dot}")
        if domain.sts:
            texts[domain.name] += sts_records(domain)
    for host in table.hosts.values():
        texts[table.zone_of(host.name)] += host_records(table, host, leafs, authority)
    for owner, rtype, data in table.records:
        texts[table.zone_of(owner.removeprefix("*."))].append(f"{owner}. IN {rtype} {data}")
    return texts


class Signer:
    """Signs zone files in one directory with a key per zone."""

    def __init__(self, directory):
        self.directory = directory
        self.now = int(time.time())

    def run(self, *command):
        return subprocess.run(command, cwd=self.directory, check=True, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE).stdout.strip()

    def path(self, zone):
        return os.path.join(self.directory, "root" if zone == "." else zone)

    def write(self, zone, lines):
        with open(self.path(zone), "w", encoding="ascii") as file:
            file.write("\n".join(lines) + "\n")

    def sign(self, zone, lines, kind, spoils=(), algorithm=ALGORITHM):
        """Writes the zone, signs it unless it is unsigned, and returns its DS lines."""
        self.write(zone, lines)
        if kind == "unsigned":
            return []
        key = self.run("ldns-keygen", "-a", algorithm,
                       *(["-b", "2048"] if algorithm.startswith("RSA") else []), "-k", zone)
        # Such a zone has a DS, as if its signatures had been stripped on the way.
        if kind != "no-signatures":
            self.sign_file(zone, key, kind)
        if spoils:
            self.spoil(zone, spoils)
        with open(os.path.join(self.directory, key + ".ds"), encoding="ascii") as file:
            return [altered(file.read().strip(), kind)]

    def sign_file(self, zone, key, kind, file=None):
        """Signs the zone's file (by another name, if given) in place."""
        day = {"expired": (-20, -10), "not-yet": (10, 20)}.get(kind, (-1, SIGNATURE_DAYS))
        options = {"nsec3": ["-n", "-t", "0"], "optout": ["-n", "-t", "0", "-p"]}.get(kind, [])
        path = self.path(file or zone)
        self.run("ldns-signzone", *options, "-i", str(self.now + day[0] * DAY),
                 "-e", str(self.now + day[1] * DAY), "-o", zone,
                 "-f", path, path, key)

    def spoil(self, zone, spoils):
        with open(self.path(zone), encoding="ascii") as file:
            lines = file.read().splitlines()
        for name, rtype in spoils:
            pattern = re.compile(rf"^({re.escape(name)}\.\s.*\sRRSIG\s+{rtype}\s.*\. )(\S{{8}})")
            hits = [i for i, line in enumerate(lines) if pattern.match(line)]
            if not hits:
                raise SystemExit(f"spoil {name} {rtype}: no such signature")
            for i in hits:
                lines[i] = pattern.sub(lambda m: m[1] + m[2][::-1].swapcase(), lines[i])
        self.write(zone, lines)


def altered(ds, kind):
    """The DS record as the parent has it, right or wrong."""
    fields = ds.split()
    if kind == "wrong-ds":
        fields[-1] = fields[-1][::-1]
    if kind == "unknown-algorithm":  # all a validator knows of the zone: it can't validate it
        fields[-3] = PRIVATE_ALGORITHM
    return " ".join(fields)


def build(table, directory, leafs, authority):
    """Writes all zones, the root hints and the trust anchor below `directory`."""
    os.makedirs(directory)
    signer = Signer(directory)
    texts = zone_texts(table, leafs, authority)

    def sign_one(zone):
        spoils = [s for s in table.spoils if table.zone_of(s[0]) == zone]
        return zone, signer.sign(zone, texts[zone], table.zones[zone], spoils,
                                 table.zone_options.get(zone, {}).get("alg", ALGORITHM))

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        delegations = dict(pool.map(sign_one, texts))

    root = head(".", "root.nic.test.")
    root += [f"root.nic.test. IN A {ROOT_NS}", f"tld.nic.test. IN A {TLD_NS}"]
    for tld, kind in table.tlds.items():
        lines = head(tld, "tld.nic.test.")
        if tld == "test":
            lines += [f"root.nic.test. IN A {ROOT_NS}", f"tld.nic.test. IN A {TLD_NS}",
                      f"zone.nic.test. IN A {ZONE_NS}"]
        for zone, ds in delegations.items():
            if zone.endswith("." + tld):
                lines += [f"{zone}. IN NS zone.nic.test."] + ds
        root += [f"{tld}. IN NS tld.nic.test."]
        root += signer.sign(tld, lines, "signed" if kind == "nsec" else kind)
    anchor = signer.sign(".", root, "signed")
    signer.write("trust-anchor", anchor)
    signer.write("root-hints", [f". 3600000 IN NS root.nic.test.",
                                f"root.nic.test. 3600000 IN A {ROOT_NS}"])

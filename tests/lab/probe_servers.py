# SPDX-License-Identifier: Apache-2.0
"""What the table's SMTP servers and policy hosts do, seen by a client, compared with the table."""

import hashlib
import http.client
import smtplib
import socket
import ssl
import time

from cryptography import x509

import https_hosts
import pki
import probe_dns

PATIENCE = 8.0
# A hanging host has hung long enough when a slow one would have answered.
HUNG = https_hosts.SLOW + 1
# What OpenSSL says of each kind of certificate.
CERTIFICATE_ERRORS = {
    "good": "verified",
    "self-signed": "self-signed certificate",
    "wrong-name": "Hostname mismatch",
    "cn-only": "Hostname mismatch",
    "expired": "certificate has expired",
}


def verifying(authority):
    """A client as strict as any: RFC 5280 to the letter, DNS-ID only."""
    context = ssl.create_default_context(cafile=authority)
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    context.hostname_checks_common_name = False
    return context


def differs(expected, got):
    return None if expected in got else f"'{expected}' expected, '{got}' found"


# ---- SMTP

def starttls(host, context, name):
    """Opens TLS by STARTTLS; returns the certificate in DER."""
    with smtplib.SMTP(host.ip, 25, "client.test", timeout=PATIENCE) as client:
        client.ehlo()
        if not client.has_extn("starttls"):
            return None
        client.docmd("STARTTLS")
        with context.wrap_socket(client.sock, server_hostname=name) as secure:
            client.sock = client.file = None
            return secure.getpeercert(binary_form=True)


def smtp_result(host, authority):
    """down, plain, or what a client that verifies says."""
    try:
        found = starttls(host, verifying(authority), host.name)
    except ConnectionRefusedError:
        return "down"
    except ssl.SSLCertVerificationError as error:
        return error.verify_message
    return "verified" if found else "plain"


def unverified():
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def without_sni(host):
    leaf = x509.load_der_x509_certificate(starttls(host, unverified(), None))
    return differs("no-sni.invalid", leaf.subject.rfc4514_string())


def tlsa_fits(host, kind, records, authority):
    """Does a record of this kind fit what the server shows (or, if "mismatch", not)?"""
    leaf = x509.load_der_x509_certificate(starttls(host, unverified(), host.name))
    with open(authority, "rb") as file:
        anchor = x509.load_pem_x509_certificate(file.read())
    digest = hashlib.sha256(pki.spki(anchor if kind == "ta" else leaf)).hexdigest()
    prefix = {"good": "3 1 1", "mismatch": "3 1 1", "ta": "2 1 1", "pkix": "1 1 1",
              "unknown-digest": "3 1 9"}[kind]
    mine = [r.split(" ", 3)[3].replace(" ", "") for r in records if r.startswith(prefix)]
    if kind == "mismatch":
        return None if any(data != digest for data in mine) else f"no foreign {prefix} record"
    return None if digest in mine else f"no {prefix} record with {digest}: {mine}"


def smtp_checks(table, authority):
    def check(host):
        expected = {"starttls": CERTIFICATE_ERRORS[host.cert]}.get(host.smtp, host.smtp)
        return differs(expected, smtp_result(host, authority))

    def check_tlsa(alias, host):
        records = probe_dns.Reply("_25._tcp." + alias.name, "TLSA").data
        complaints = [tlsa_fits(host, kind, records, authority) for kind in alias.tlsa]
        return next((c for c in complaints if c), None)

    for host in table.hosts.values():
        server = table.server_of(host.name)
        if host.ip:
            yield f"{host.name} SMTP", lambda h=host: check(h)
        if host.ip and host.smtp == "starttls":
            yield f"{host.name} SMTP without SNI", lambda h=host: without_sni(h)
        served = server.smtp == "starttls" and server.ip
        if host.tlsa and served and not probe_dns.broken(table, "_25._tcp." + host.name, "TLSA"):
            yield f"{host.name} TLSA", lambda a=host, h=server: check_tlsa(a, h)


# ---- HTTPS

def fetch(address, name, authority):
    """(what happened, seconds, body) of one GET, by a client that verifies."""
    start = time.monotonic()
    context = verifying(authority)
    client = http.client.HTTPSConnection(name, context=context)
    try:
        with socket.create_connection((address, 443), timeout=HUNG) as plain:
            client.sock = context.wrap_socket(plain, server_hostname=name)
            client.request("GET", https_hosts.PATH)
            reply = client.getresponse()
            body = reply.read().decode()
            kind = reply.headers.get("Content-Type", "")
    except ssl.SSLCertVerificationError as error:
        return error.verify_message, 0.0, ""
    except ConnectionRefusedError:
        return "refused", 0.0, ""
    except TimeoutError:
        return "timeout", 0.0, ""
    return f"{reply.status} {kind} {len(body)}", time.monotonic() - start, body


def check_https(domain, authority):
    sts, name = domain.sts, "mta-sts." + domain.name
    found, seconds, body = fetch(sts.ip, name, authority)
    expected = {"404": "404 ", "redirect": "301 ", "html": "200 text/html", "hang": "timeout",
                "refused": "refused", "big": f" {https_hosts.BIG + 1}"}.get(sts.https)
    expected = expected or CERTIFICATE_ERRORS.get(sts.https, "verified")
    if expected == "verified":
        expected = f"200 text/plain; charset=utf-8 {len(sts.policy())}"
        if body != sts.policy():
            return f"another policy: {body!r} ({found})"
    if sts.https == "slow" and seconds < https_hosts.SLOW:
        return f"answered after {seconds:.1f} s"
    return differs(expected, found)


def check_dead(domain):
    try:
        socket.create_connection((domain.sts.dead_ip, 443), timeout=HUNG).close()
    except ConnectionRefusedError:
        return None
    return "the dead address answers"


def https_checks(table, authority):
    for domain in table.domains:
        if not domain.sts or domain.sts.https == "no-address":
            continue
        yield f"{domain.name} policy host", lambda d=domain: check_https(d, authority)
        if domain.sts.dead_ip:
            yield f"{domain.name} first policy host", lambda d=domain: check_dead(d)

# SPDX-License-Identifier: Apache-2.0
"""What the table's SMTP servers and policy hosts do, seen by a client, compared with the table."""

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
    "wildcard": "verified",
    "leaf-only": "verified",
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
    with smtplib.SMTP(host.addresses()[-1], 25, "client.test", timeout=PATIENCE) as client:
        client.ehlo()
        if not client.has_extn("starttls"):
            return None
        code, _ = client.docmd("STARTTLS")
        if code != 220:
            raise smtplib.SMTPResponseException(code, "STARTTLS")
        with context.wrap_socket(client.sock, server_hostname=name) as secure:
            client.sock = client.file = None
            return secure.getpeercert(binary_form=True)


def smtp_result(host, authority):
    """down, plain, busy, refuses, broken, or what a client that verifies says."""
    try:
        found = starttls(host, verifying(authority), host.name)
    except ConnectionRefusedError:
        return "down"
    except smtplib.SMTPConnectError:
        return "busy"
    except smtplib.SMTPResponseException:
        return "refuses"
    except ssl.SSLCertVerificationError as error:
        return error.verify_message
    except (ssl.SSLError, ConnectionResetError):
        return "broken"
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
    """Is there the record of this kind for what the server shows?"""
    leaf = x509.load_der_x509_certificate(starttls(host, unverified(), host.name))
    with open(authority, "rb") as file:
        anchor = x509.load_pem_x509_certificate(file.read())
    wanted = pki.tlsa(kind, leaf, anchor)
    found = [f"{r.rsplit(' ', 1)[0]} {r.rsplit(' ', 1)[1]}" if r.count(" ") == 3
             else " ".join(r.split(" ", 3)[:3]) + " " + r.split(" ", 3)[3].replace(" ", "")
             for r in records]
    return None if wanted in found else f"no {kind} record {wanted}: {found}"


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
        if host.addresses():
            yield f"{host.name} SMTP", lambda h=host: check(h)
        if host.addresses() and host.smtp == "starttls":
            yield f"{host.name} SMTP without SNI", lambda h=host: without_sni(h)
        served = server.smtp == "starttls" and server.addresses()
        if host.tlsa and served and not probe_dns.broken(table, "_25._tcp." + host.name, "TLSA"):
            yield f"{host.name} TLSA", lambda a=host, h=server: check_tlsa(a, h)


# ---- HTTPS

def fetch(address, name, authority):
    """(what happened, seconds, body) of one GET, by a client that verifies and reads 64 KiB."""
    start = time.monotonic()
    context = verifying(authority)
    client = http.client.HTTPSConnection(name, context=context)
    try:
        with socket.create_connection((address, 443), timeout=HUNG) as plain:
            client.sock = context.wrap_socket(plain, server_hostname=name)
            client.request("GET", https_hosts.PATH)
            reply = client.getresponse()
            body = reply.read(https_hosts.BIG + 1).decode()
            kind = reply.headers.get("Content-Type", "")
            whole = reply.length in (None, 0)
    except tuple(TROUBLE) as error:
        said = getattr(error, "verify_message", None)
        return said or next(TROUBLE[t] for t in type(error).__mro__ if t in TROUBLE), 0.0, ""
    seconds = time.monotonic() - start
    return f"{reply.status} {kind} {len(body)}{'' if whole else ' and more'}", seconds, body


# What Python raises, and what we call it.
TROUBLE = {
    ssl.SSLError: "TLS",
    ConnectionRefusedError: "refused",
    TimeoutError: "timeout",
    http.client.RemoteDisconnected: "closed",
    http.client.LineTooLong: "long line",
}
# How a client sees the kinds that give no policy.
SEEN = {"404": "404 ", "500": "500 ", "redirect": "301 ", "html": "200 text/html", "no-type": "200  ",
        "big": f" {https_hosts.BIG + 1}", "huge": "and more", "big-headers": "long line",
        "close": "closed", "short": "and more", "old-tls": "TLS", "refused": "refused",
        **{kind: "timeout" for kind in https_hosts.HANGING}}


def check_https(domain, authority):
    sts, name = domain.sts, "mta-sts." + domain.name
    found, seconds, body = fetch(sts.ip, name, authority)
    expected = SEEN.get(sts.https) or CERTIFICATE_ERRORS.get(sts.https, "verified")
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

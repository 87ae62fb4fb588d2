#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Policy hosts, good and bad, on loopback addresses, for https_test.cc.

Prints "ca FILE", "port N" and "ready", and ends when standard input does.  On one port:

  127.0.0.1, ::1  HTTPS; the name under ".test" chooses the certificate and the reply
  127.0.0.2       speaks, but not TLS          127.0.0.8   closes at once
  127.0.0.3       accepts and stays silent     127.0.0.10  a proxy; all names lead to 127.0.0.1
  127.0.0.4       resets after the ClientHello 127.0.0.11  a proxy that says 407
  127.0.0.5       TLS 1.1 at most              127.0.0.12  a proxy that says 503
  127.0.0.6       answers no SYN               127.0.0.13  a proxy that stays silent
  127.0.0.7       nobody listens               127.0.0.14  a proxy that says 403
  127.0.0.15      a proxy that hangs up when it is asked for a tunnel
"""
import datetime
import functools
import os
import shutil
import socket
import ssl
import struct
import sys
import tempfile
import threading
import time
import warnings

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

POLICY = b"version: STSv1\nmode: enforce\nmx: mx.example.net\nmax_age: 604800\n"
FOLDER = tempfile.mkdtemp(prefix="policy-host-")
KEY = ec.generate_private_key(ec.SECP256R1())
NOW = datetime.datetime.now(datetime.timezone.utc)
DAY = datetime.timedelta(days=1)


def named(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def certificate(subject, issuer, names=(), begin=NOW - DAY, end=NOW + 30 * DAY, is_ca=False):
    """All keys are the same one; only names and dates matter here."""
    builder = (x509.CertificateBuilder().subject_name(named(subject)).issuer_name(named(issuer))
               .public_key(KEY.public_key()).serial_number(x509.random_serial_number())
               .not_valid_before(begin).not_valid_after(end)
               .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True))
    if names:
        alternative = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
        builder = builder.add_extension(alternative, critical=False)
    return builder.sign(KEY, hashes.SHA256())


def write_pem(name, *parts):
    path = os.path.join(FOLDER, name)
    with open(path, "wb") as file:
        file.write(b"".join(parts))
    return path


def pem(cert):
    return cert.public_bytes(serialization.Encoding.PEM)


KEY_PEM = KEY.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                            serialization.NoEncryption())


def certificate_for(host):
    kind = host.split(".")[-2]
    utc = datetime.timezone.utc
    special = {
        "wrongname": dict(names=["other.test", "*.other.test"]),
        "wildcard": dict(names=["*.wildcard.test"]),
        "deep": dict(names=["*.deep.test"]),
        "partial": dict(names=["mta-*.partial.test"]),
        "cnonly": dict(names=[]),
        "expired": dict(begin=datetime.datetime(2019, 1, 1, tzinfo=utc),
                        end=datetime.datetime(2020, 1, 31, 23, 59, 59, tzinfo=utc)),
        "future": dict(begin=datetime.datetime(2099, 2, 3, tzinfo=utc),
                       end=datetime.datetime(2099, 3, 3, tzinfo=utc)),
        "selfsigned": dict(issuer=host),
        "otherca": dict(issuer="Unknown CA"),
    }.get(kind, {})
    arguments = dict(subject=host, issuer="Test CA", names=[host]) | special
    return certificate(**arguments)


@functools.lru_cache(maxsize=None)
def context_for(host):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(write_pem(host + ".pem", pem(certificate_for(host)), KEY_PEM))
    return context


def choose_certificate(connection, host, _context):
    if host is None:
        return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
    connection.context = context_for(host)
    return None


def answer(fields, body, status="200 OK"):
    return f"HTTP/1.1 {status}\r\n{fields}\r\n".encode() + body


def plain(body, fields=""):
    return answer(f"Content-Type: text/plain\r\nContent-Length: {len(body)}\r\n{fields}", body)


def chunked(body):
    head = answer("Content-Type: text/plain\r\nTransfer-Encoding: chunked\r\n", b"")
    return head + f"{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n"


REPLIES = {
    "404": answer("Content-Length: 5\r\n", b"sorry", "404 Not Found"),
    "301": answer("Location: https://mta-sts.good.test/x\r\n", b"", "301 Moved"),
    "204": answer("", b"", "204 No Content"),
    "html": answer("Content-Type: text/html\r\n", POLICY),
    "notype": answer("", POLICY),
    "largest": plain(b"x" * 65536),
    "toolong": plain(b"x" * 65537),
    "chunked": chunked(b"x" * 65536),
    "toolongchunked": chunked(b"x" * 65537),
    "eof": answer("Content-Type: text/plain\r\n", POLICY),
    "toolongeof": answer("Content-Type: text/plain\r\n", b"x" * 65537),
    "header": plain(POLICY, "X: " + "x" * 17000 + "\r\n"),
    "gzip": plain(POLICY, "Content-Encoding: gzip\r\n"),
    "early": answer("Link: </x>\r\n", b"", "103 Early Hints") + plain(POLICY),
    "nothttp": b"220 smtp.test ESMTP\r\n\r\n",
    "short": answer("Content-Type: text/plain\r\nContent-Length: 1000\r\n", POLICY),
}


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def wait_for_end(connection):
    """Says nothing until the other side has gone."""
    try:
        while connection.recv(4096):
            pass
    except OSError:
        pass


def serve_https(connection):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.sni_callback = choose_certificate
    connection = context.wrap_socket(connection, server_side=True)
    request = b""
    while b"\r\n\r\n" not in request:
        octets = connection.recv(4096)
        if not octets:
            return
        request += octets
    host = request.split(b"Host: ")[1].split(b"\r\n")[0].decode().split(":")[0]
    kind = host.split(".")[-2]
    if kind == "silent":
        return wait_for_end(connection)
    if kind == "reset":
        return reset(connection)
    if kind == "drip":
        for octet in plain(b"x" * 1000):
            connection.sendall(bytes([octet]))
            time.sleep(0.02)
        return None
    connection.sendall(plain(request) if kind == "echo" else REPLIES.get(kind, plain(POLICY)))
    if kind == "stall":
        return wait_for_end(connection)
    if kind in ("short", "eofcut"):
        return None  # closes TCP without the end of TLS
    connection.unwrap()
    return None


REPLIES["stall"] = REPLIES["short"]
REPLIES["eofcut"] = REPLIES["eof"]


def serve_old_tls(connection):
    warnings.simplefilter("ignore", DeprecationWarning)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.load_cert_chain(write_pem("old.pem", pem(certificate_for("mta-sts.old.test")), KEY_PEM))
    context.wrap_socket(connection, server_side=True)


def serve_text(connection):
    connection.sendall(b"220 smtp.test ESMTP\r\n")
    wait_for_end(connection)


def serve_reset(connection):
    connection.recv(4096)
    reset(connection)


def read_head(connection):
    head = b""
    while b"\r\n\r\n" not in head:
        octets = connection.recv(1)
        if not octets:
            return None
        head += octets
    return head


def copy(source, target):
    try:
        while octets := source.recv(4096):
            target.sendall(octets)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def serve_proxy(connection):
    head = read_head(connection)
    if not head or not head.startswith(b"CONNECT mta-sts."):
        return
    with socket.create_connection(("127.0.0.1", PORT)) as origin:
        connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        other_way = threading.Thread(target=copy, args=(connection, origin), daemon=True)
        other_way.start()
        copy(origin, connection)
        other_way.join(1)


def refusing_proxy(status):
    def serve(connection):
        if read_head(connection):
            connection.sendall(f"HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n".encode())
            wait_for_end(connection)
    return serve


def run(serve, connection):
    with connection:
        try:
            serve(connection)
        except (OSError, ssl.SSLError):
            pass  # what the client makes of it is the test


def listen(address, serve):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((address, PORT))
    listener.listen(200)

    def accept():
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=run, args=(serve, connection), daemon=True).start()
    threading.Thread(target=accept, daemon=True).start()


def black_hole(address):
    """A listener whose queue is full drops what else arrives."""
    listener = socket.socket()
    listener.bind((address, PORT))
    listener.listen(0)
    held = [listener]
    for _ in range(2):
        filler = socket.socket()
        filler.setblocking(False)
        filler.connect_ex((address, PORT))
        held.append(filler)
    return held


SERVERS = {
    "127.0.0.1": serve_https,
    "::1": serve_https,
    "127.0.0.2": serve_text,
    "127.0.0.3": wait_for_end,
    "127.0.0.4": serve_reset,
    "127.0.0.5": serve_old_tls,
    "127.0.0.8": lambda connection: None,
    "127.0.0.10": serve_proxy,
    "127.0.0.11": refusing_proxy(407),
    "127.0.0.12": refusing_proxy(503),
    "127.0.0.13": wait_for_end,
    "127.0.0.14": refusing_proxy(403),
    "127.0.0.15": read_head,
}

with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    PORT = probe.getsockname()[1]
try:
    for where, how in SERVERS.items():
        listen(where, how)
    hole = black_hole("127.0.0.6")
    ca = certificate("Test CA", "Test CA", is_ca=True)
    print("ca", write_pem("ca.pem", pem(ca)))
    print("port", PORT)
    print("ready", flush=True)
    sys.stdin.read()
finally:
    shutil.rmtree(FOLDER)

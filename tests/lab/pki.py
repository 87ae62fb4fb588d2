# SPDX-License-Identifier: Apache-2.0
"""The lab's certificate authority, its certificates, and the TLSA records that match them."""

import datetime
import hashlib
import os

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = datetime.timedelta(days=1)
LIFE = 60 * DAY
FOREIGN = b"another key "  # before a key, to get the digest of none


def new_key():
    return ec.generate_private_key(ec.SECP256R1())


def name(text):
    # A common name holds at most 64 characters.
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text[:64])])


def pem(certificate):
    return certificate.public_bytes(serialization.Encoding.PEM)


def spki(certificate):
    return certificate.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def extensions(public_key, issuer_key, host):
    """What RFC 5280 asks of a certificate, so that strict verifiers find no other fault."""
    yield x509.BasicConstraints(host is None, None), True
    yield x509.SubjectKeyIdentifier.from_public_key(public_key), False
    yield x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key), False
    if host is None:
        yield x509.KeyUsage(False, False, False, False, False, True, True, False, False), True
    elif host:
        yield x509.SubjectAlternativeName([x509.DNSName(host)]), False


class Authority:
    """A root that signs servers' certificates directly."""

    def __init__(self):
        self.now = datetime.datetime.now(datetime.timezone.utc)
        self.key = new_key()
        self.certificate = self.sign(name("Sealane lab CA"), self.key.public_key(), None)

    def sign(self, subject, public_key, host, *, issuer=None, signer=None, expired=False):
        """A certificate for `host` (None: for a CA; "": one without DNS-ID)."""
        start = self.now - (30 * DAY if expired else DAY)
        end = self.now - DAY if expired else self.now + LIFE
        signer = signer or self.key
        builder = (x509.CertificateBuilder().subject_name(subject)
                   .issuer_name(issuer or name("Sealane lab CA")).public_key(public_key)
                   .serial_number(x509.random_serial_number())
                   .not_valid_before(start).not_valid_after(end))
        for extension, critical in extensions(public_key, signer.public_key(), host):
            builder = builder.add_extension(extension, critical=critical)
        return builder.sign(signer, hashes.SHA256())

    def server(self, path, host, kind="good"):
        """Writes key and chain for `host` to `path`; returns the certificate.

        Kinds: good, self-signed, wrong-name, expired, cn-only (no DNS-ID), wildcard (for the
        leftmost label), leaf-only (signed by the CA, which is not in the chain).
        """
        key = new_key()
        subject = {"wrong-name": "elsewhere.invalid",
                   "wildcard": "*." + host.partition(".")[2]}.get(kind, host)
        if kind == "self-signed":
            leaf = self.sign(name(subject), key.public_key(), subject,
                             issuer=name(subject), signer=key)
        else:
            leaf = self.sign(name(subject), key.public_key(),
                             "" if kind == "cn-only" else subject, expired=kind == "expired")
        private = key.private_bytes(serialization.Encoding.PEM,
                                    serialization.PrivateFormat.PKCS8,
                                    serialization.NoEncryption())
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
            chain = b"" if kind in ("self-signed", "leaf-only") else pem(self.certificate)
            file.write(private + pem(leaf) + chain)
        return leaf


def pin(path, kind):
    """The SHA-256 by which Postfix recognises what a TLSA record of this kind stands for, of the
    certificate in a file that server() wrote."""
    with open(path, "rb") as file:
        leaf = x509.load_pem_x509_certificate(file.read().split(b"KEY-----\n")[-1])
    what = {"mismatch": FOREIGN + spki(leaf), "cert": der(leaf), "full-cert": der(leaf)}
    return hashlib.sha256(what.get(kind, spki(leaf))).hexdigest()


def der(certificate):
    return certificate.public_bytes(serialization.Encoding.DER)


def tlsa(kind, leaf, anchor):
    """One TLSA record's data in presentation form; `anchor` is the CA's certificate."""
    key = spki(leaf)
    digest = hashlib.sha256(key).hexdigest()
    return {
        "good": f"3 1 1 {digest}",
        "mismatch": f"3 1 1 {hashlib.sha256(b'another key ' + key).hexdigest()}",
        "sha512": f"3 1 2 {hashlib.sha512(key).hexdigest()}",
        "sha512-mismatch": f"3 1 2 {hashlib.sha512(b'another key ' + key).hexdigest()}",
        "cert": f"3 0 1 {hashlib.sha256(der(leaf)).hexdigest()}",
        "full": f"3 1 0 {key.hex()}",
        "full-cert": f"3 0 0 {der(leaf).hex()}",
        "pkix": f"1 1 1 {digest}",
        "unknown-digest": f"3 1 9 {digest}",
        "short": f"3 1 1 {digest[:-2]}",
        "bad-selector": f"3 7 1 {digest}",
        "bad-usage": f"9 1 1 {digest}",
        "ta": f"2 1 1 {hashlib.sha256(spki(anchor)).hexdigest()}",
        "ta-cert": f"2 0 1 {hashlib.sha256(der(anchor)).hexdigest()}",
        "ta-full": f"2 0 0 {der(anchor).hex()}",
    }[kind]

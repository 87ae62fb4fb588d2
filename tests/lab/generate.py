# SPDX-License-Identifier: Apache-2.0
"""Makes certificates and zones from the table, and keeps them until the table or a program changes.

The data directory holds: ca.pem, certs/NAME.pem (key and chain of an SMTP or policy host),
zones/NAME, zones/trust-anchor, zones/root-hints.
"""

import fcntl
import hashlib
import os
import shutil
import time

import pki
import table as tables
import zones

SOURCES = ("table.py", "pki.py", "zones.py", "generate.py")
# Signatures live for 30 days; data is made anew long before.
MAX_AGE = 7 * 86400
DEFAULT_CERTIFICATE = "no-sni"


def cache_directory():
    """LAB_CACHE, else beside this file, else (a tree of somebody else) below the user's home."""
    if "LAB_CACHE" in os.environ:
        return os.environ["LAB_CACHE"]
    beside = os.path.join(tables.HERE, ".cache")
    if os.access(beside if os.path.exists(beside) else tables.HERE, os.W_OK):
        return beside
    return os.path.join(os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache")),
                        "sealane-lab")


def fingerprint():
    digest = hashlib.sha256()
    for path in [tables.TABLE] + [os.path.join(tables.HERE, name) for name in SOURCES]:
        with open(path, "rb") as file:
            digest.update(file.read())
    return digest.hexdigest()[:16]


def certificates(table, directory):
    """Writes all certificates; returns the authority and the SMTP hosts' certificates by name."""
    os.makedirs(directory)
    authority = pki.Authority()
    leafs = {}
    for host in table.hosts.values():
        if not host.cname:
            path = os.path.join(directory, host.name + ".pem")
            leafs[host.name] = authority.server(path, host.name, host.cert)
    kinds = {"wrong-name", "expired", "self-signed", "cn-only", "wildcard"}
    for domain in table.domains:
        if domain.sts:
            host = "mta-sts." + domain.name
            kind = domain.sts.https if domain.sts.https in kinds else "good"
            authority.server(os.path.join(directory, host + ".pem"), host, kind)
    authority.server(os.path.join(directory, DEFAULT_CERTIFICATE + ".pem"), "no-sni.invalid")
    return authority, leafs


def make(directory):
    table = tables.load()
    authority, leafs = certificates(table, os.path.join(directory, "certs"))
    with open(os.path.join(directory, "ca.pem"), "wb") as file:
        file.write(pki.pem(authority.certificate))
    zones.build(table, os.path.join(directory, "zones"), leafs, authority)


def fresh(directory):
    try:
        age = time.time() - os.stat(os.path.join(directory, "ca.pem")).st_mtime
    except FileNotFoundError:
        return False
    return age < MAX_AGE


def data_directory():
    """The data of the present table, made if need be."""
    cache = cache_directory()
    os.makedirs(cache, exist_ok=True)
    final = os.path.join(cache, "data-" + fingerprint())
    with open(os.path.join(cache, "lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if fresh(final):
            return final
        work = final + ".new"
        for path in (work, final):
            shutil.rmtree(path, ignore_errors=True)
        os.makedirs(work)
        make(work)
        os.rename(work, final)
        forget_old(cache, final)
    return final


def forget_old(cache, keep):
    """Removes data of older tables.  A lab that still runs on it has read it at its start."""
    for name in os.listdir(cache):
        path = os.path.join(cache, name)
        old = name.startswith("data-") and path != keep
        if old and time.time() - os.stat(path).st_mtime > 86400:
            shutil.rmtree(path, ignore_errors=True)

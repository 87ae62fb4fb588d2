# SPDX-License-Identifier: Apache-2.0
"""TLS server contexts that answer by SNI.

A client that sends no SNI gets a certificate for "no-sni.invalid": so a forgotten SNI is noticed.
"""

import os
import ssl

import generate


class Contexts:
    def __init__(self, data):
        self.directory = os.path.join(data, "certs")
        self.no_sni = self.load(generate.DEFAULT_CERTIFICATE)

    def load(self, name):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(os.path.join(self.directory, name + ".pem"))
        return context

    def of(self, host):
        """A context that shows `host`'s certificate to whoever sends an SNI, and notes that SNI."""
        own = self.load(host)
        front = self.load(generate.DEFAULT_CERTIFICATE)

        def choose(connection, sni, _):
            connection.lab_sni = sni
            connection.context = own if sni else self.no_sni

        front.sni_callback = choose
        return front


def sni_of(writer):
    return getattr(writer.get_extra_info("ssl_object"), "lab_sni", None)

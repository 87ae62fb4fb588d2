# SPDX-License-Identifier: Apache-2.0
"""An SMTP session with the submission server.

  session.py listens                                  exit status 0 if it does
  session.py [--data] SENDER RECIPIENT...             a line each: RECIPIENT CODE TEXT; "data CODE TEXT"
  session.py --login USER SENDER RECIPIENT...         as somebody who has logged in (XCLIENT)
  session.py --steps FIFO SENDER                      the same, recipients from the FIFO one by one
"""

import smtplib
import sys

SERVER = ("127.0.0.1", 2525)
PATIENCE = 45


def say(what, reply):
    code, text = reply
    print(what, code, text.decode("ascii", "replace").replace("\n", " "), flush=True)
    return code


def recipients(client, sender, addresses):
    client.ehlo("client.lab.test")
    client.mail(sender)
    return [say(address, client.rcpt(address)) for address in addresses]


def main(*words):
    words = list(words)
    if words == ["listens"]:
        smtplib.SMTP(*SERVER, timeout=5).quit()
        return
    client = smtplib.SMTP(*SERVER, timeout=PATIENCE)
    if words[0] == "--steps":
        with open(words[1], encoding="ascii") as steps:
            recipients(client, words[2], (line.strip() for line in steps))
    elif words[0] == "--data":
        if 250 in recipients(client, words[1], words[2:]):
            say("data", client.data("Subject: lab\n\nlab\n"))
    elif words[0] == "--login":
        client.ehlo("client.lab.test")
        client.docmd("XCLIENT", f"LOGIN={words[1]}")  # the greeting comes again
        recipients(client, words[2], words[3:])
    else:
        recipients(client, words[0], words[1:])
    client.quit()


main(*sys.argv[1:])

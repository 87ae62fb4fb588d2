#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The socketmap protocol at its edges: pipelining, junk, long keys, 2,000 connections.
. "$(dirname "$0")/../lib.sh"

start_daemon
answers dane-good.test
export PYTHONPATH=$LAB_DIR
ok "the protocol at its edges" /usr/bin/python3 -B "$HERE/70-wire/wire.py" "$MAP"
answers sts-good.unsigned
finish

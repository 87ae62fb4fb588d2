#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The crash test at length: two hundred kills under load, and as many of the daemon that looks.
ROUNDS=200
export ROUNDS
exec bash "$(dirname "$0")/../91-crash/run.sh"

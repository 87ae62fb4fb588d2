#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The same as 36-exim with Exim 4.98 of Debian 13.
export EXIM_TREE=exim-trixie
exec bash "$(dirname "$0")/../36-exim/run.sh"

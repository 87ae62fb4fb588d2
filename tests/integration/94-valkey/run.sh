#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The shared store of case 90 on Valkey: that of Debian 13, with the libraries it came with.
HERE=$(dirname "$(realpath "$0")")
TREE=$("$HERE/../../trees/build" valkey-trixie) || exit "$SKIP"
LOADER=$(find "$TREE/usr/lib64" "$TREE"/usr/lib -name 'ld-linux-*.so.*' | head -n 1)
LIBRARIES=$(dirname "$(find "$TREE/usr/lib" -name libc.so.6 | head -n 1)")
SHARED_SERVER="$LOADER --library-path $LIBRARIES $TREE/usr/bin/valkey-server"
export SHARED_SERVER
exec bash "$HERE/../90-shared-store/run.sh"

#!/usr/bin/env bash
# `weir cluster start`, with the same flags, by the `weir` that was built here, or else the one in PATH.

set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
weir=${CARGO_TARGET_DIR:-$root/target}/release/weir
if [[ ! -x $weir ]] && ! weir=$(command -v weir); then
    echo "${0##*/}: there is no weir yet; build it: cargo build --release -p weir-cli" >&2
    exit 1
fi
exec "$weir" cluster start "$@"

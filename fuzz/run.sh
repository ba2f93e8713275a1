#!/usr/bin/env bash
# Fuzzes every target for SECONDS_EACH (60) seconds, beginning from the seeds.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v cargo-fuzz > /dev/null || cargo install --locked cargo-fuzz
for target in $(cargo +nightly fuzz list); do
    mkdir -p "fuzz/corpus/$target"
    seeds=()
    [[ ! -d fuzz/seeds/$target ]] || seeds=("fuzz/seeds/$target")
    echo "== $target"
    cargo +nightly fuzz run "$target" "fuzz/corpus/$target" "${seeds[@]}" -- -max_total_time="${SECONDS_EACH:-60}" -rss_limit_mb=2048
done

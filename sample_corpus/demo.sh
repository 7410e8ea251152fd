#!/bin/sh
# The main job on the sample corpus, each step a command that you could type. Run it by `make demo`.
set -eu
cd "$(dirname "$0")/.."
run=runs/demo

step() {
    printf '\n$ %s\n' "$*" >&2
    "$@"
}

if [ ! -f "$run/hypograph.toml" ]; then
    mkdir -p "$run"
    cp sample_corpus/hypograph.toml "$run/hypograph.toml"
fi
for field in biomed astronomy ai; do
    step hypograph vocab build "$field" "sample_corpus/vocabulary/$field.tsv" --workspace "$run" >/dev/null
done
step hypograph build --workspace "$run"
step hypograph hypothesize --source "Raynaud Disease" --as-of 1985 --workspace "$run"
step hypograph hypothesize --source "Migraine Disorders" --as-of 1987 --workspace "$run"
step hypograph hypothesize --source "gamma-ray burst" --as-of 1983 --top 5 --workspace "$run"
step hypograph hypothesize --source "Transformer" --as-of 2018 --top 5 --workspace "$run"
step hypograph report --workspace "$run" --output "$run/report.html" \
    --question "Raynaud Disease@1985" --question "Migraine Disorders@1987" \
    --question "gamma-ray burst@1983" --question "Transformer@2018"
printf '\nOpen %s in a browser to explore the graph.\n' "$PWD/$run/report.html"

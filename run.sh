#!/usr/bin/env bash
# ./run.sh [COMMAND]: installs what is missing into .venv (once), then runs Tocsin. `./run.sh help` lists the commands.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

lock=requirements-dev.lock # what runs and what tests it, together, so that tests need no second download
venv=.venv

usage() {
    cat <<'TEXT'
./run.sh            run Tocsin on config/ until Ctrl-C (the same as: ./run.sh run)
./run.sh demo       a month of an invented crisis through the real pipeline, in under a minute
./run.sh test       run the tests, a process a core     ./run.sh test tests/test_cluster.py -x -n 0
./run.sh lint       style, types and import contracts
./run.sh bench      speed and scale, measured on this machine
./run.sh pictures   the main messages as a phone shows them, drawn for docs/messages.md
./run.sh train      train the classifier on classifiers/corpus and admins' labels; promoted only if better
./run.sh help       this text

Anything else goes to the program:
./run.sh check      look at config, database, model, feeds and token, and say what to do
./run.sh once       one round of every stage, then exit
./run.sh feeds list | add URL | remove URL | test [URL] | import FILE | export FILE
./run.sh why STORY | ADDRESS | TEXT      one decision explained          ./run.sh missed     what nearly rang
./run.sh index --dyad RU-UA           tension over time, beside what is usual
./run.sh backtest --set KEY=VALUE    what other thresholds would have told        ./run.sh replay ARCHIVE
./run.sh tune --alerts-per-day 3       levels that tell so many, written only with --write
./run.sh models list | promote MODEL | rollback        ./run.sh reread    what another model would change
./run.sh score FILE, send-test CHAT, digest, backup, restore FILE, evaluate; each explains itself with --help
TEXT
}

find_python() {
    local name
    for name in "${PYTHON:-}" python3 python3.14 python3.13 python3.12 python3.11 python; do
        [ -n "$name" ] && "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo "$name"; return; }
    done
    echo "Tocsin needs Python 3.11 or newer, and found none. Install it, or set PYTHON=/path/to/python3." >&2
    exit 1
}

wanted() { # what .venv/installed says when nothing is left to do
    "$1" -c 'import sys; print("python", sys.version_info[:2])'
    cat "$lock"
}

install() {
    local python clear=--clear # what is left of an environment whose Python is gone is of no use
    if [ -x "$venv/bin/python" ] && "$venv/bin/python" -c '' 2>/dev/null; then
        python="$venv/bin/python" clear=
        if [ -f "$venv/installed" ] && [ "$(cat "$venv/installed")" = "$(wanted "$python")" ]; then return; fi
    else
        python=$(find_python)
    fi
    echo "Installing into $venv (once, a minute or two; about 950 MB):" >&2
    "$python" -m venv $clear "$venv" || {
        echo "Python cannot make a virtual environment. On Debian and Ubuntu: apt install python3-venv" >&2
        exit 1
    }
    rm -f "$venv/installed"
    download_and_count || {
        echo >&2
        echo "Installing failed; the lines above say why. Is there a connection? Then start ./run.sh again." >&2
        exit 1
    }
    wanted "$venv/bin/python" >"$venv/installed"
}

download_and_count() {
    local line count=0
    "$venv/bin/python" -m pip install --disable-pip-version-check --require-hashes --only-binary :all: -r "$lock" |
        while read -r line; do
            case "$line" in
            Collecting*) count=$((count + 1)) && printf '\r  packages fetched: %d' "$count" >&2 ;;
            Installing*) printf '\r  unpacking %d packages ...        \n' "$count" >&2 ;;
            esac
        done
}

command=${1:-run}
[ $# -gt 0 ] && shift
case "$command" in
help | -h | --help) usage; exit ;;
esac
install
python="$venv/bin/python"
export PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}" # a stray package called `config` elsewhere must not win over ours

case "$command" in
test) exec "$python" -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile "$@" ;; # one at a time: -n 0
lint)
    "$python" -m ruff check .
    "$python" -m ruff format --check .
    "$python" -m mypy
    "$venv/bin/lint-imports"
    ;;
bench) exec "$python" -m benchmarks "$@" ;;
pictures) exec "$python" -m pictures "$@" ;;
*) exec "$python" -m bot "$command" "$@" ;;
esac

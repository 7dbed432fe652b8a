#!/usr/bin/env bash
# Installs a wheel into an empty environment, as on a machine without compiler or Swift, and runs the package's tests
# there, from copies, so that the wheel's package is what they import:
#   tools/python/tests/run_wheel.sh WHEEL
# Once without numpy; once with it, where it can be had (KVPAGER_REQUIRE_NUMPY=1: it must be). KVPAGER_RESULTS=FILE gets
# the counts, {"passed", "failed", "skipped"}.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repository=$(cd "$here/../../.." && pwd)
wheel=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/environment"
mkdir -p "$work/home" "$work/tests"
cp "$here"/*.py "$work/tests/"

# Runs a command with nothing of this machine's environment: no compiler, no Swift, no library path.
bare() {
  env -i HOME="$work/home" LANG=C.UTF-8 PATH="$work/environment/bin" KVPAGER_REPOSITORY="$repository" \
    ${TMPDIR:+TMPDIR="$TMPDIR"} "$@"
}

bare python -c '
import shutil, sys
found = [tool for tool in ("cc", "gcc", "clang", "swift", "ld") if shutil.which(tool)]
sys.exit(f"these are in PATH: {found}" if found else 0)'
bare python -m pip install --disable-pip-version-check --quiet --no-index --no-deps "$wheel"

# What the loader resolves is the system's or the wheel's own, never a toolchain's.
installed=$(bare python -c 'import kvpager; print(kvpager.library_path().parent)')
case $installed in
  "$work"/*) ;;
  *) echo "wheel: the tests would import $installed, which is not the wheel's" >&2; exit 1 ;;
esac
if [ "$(uname -s)" = Linux ]; then
  resolved=$(env -i /usr/bin/ldd "$installed/libkvpager.so")
  known="^\s+(linux-vdso|/lib|\S+ => (/lib|/usr/lib|$installed)/)"
  if grep -vE "$known" <<<"$resolved" || grep -i swift <<<"$resolved"; then
    echo "wheel: libkvpager.so needs the libraries above, which a machine without Swift has not" >&2
    exit 1
  fi
fi

# Every command of the wheel starts.
bare python - <<'CODE'
import importlib.metadata, os, subprocess, sys
for command in importlib.metadata.distribution("kvpager").entry_points:
    path = os.path.join(os.path.dirname(sys.executable), command.name)
    answer = subprocess.run([path, "--help"], capture_output=True, text=True)
    if answer.returncode != 0 or "usage" not in answer.stdout.lower():
        sys.exit(f"wheel: {command.name} --help ends with {answer.returncode}: {answer.stdout}{answer.stderr}")
CODE

# The tests; quiet where they pass. $1: a name for them.
tests() {
  echo "== The wheel's tests, $1"
  (cd "$work/tests" && bare PYTHONDEVMODE=1 PYTHONWARNINGS=error::ResourceWarning \
    python suite.py --results "$work/$1.json") >"$work/tests.log" 2>&1 || { cat "$work/tests.log" >&2; return 1; }
  tail -n 1 "$work/tests.log"
}

tests "without numpy"
if env HOME="$HOME" "$work/environment/bin/python" -m pip install --disable-pip-version-check --quiet \
  --only-binary :all: numpy >"$work/numpy.log" 2>&1; then
  tests "with numpy"
elif [ -n "${KVPAGER_REQUIRE_NUMPY:-}" ]; then
  tail -n 5 "$work/numpy.log" >&2
  exit 1
else
  echo "== numpy cannot be had here: its tests are left out"
fi
[ -z "${KVPAGER_RESULTS:-}" ] || python3 - "$work" "$KVPAGER_RESULTS" <<'CODE'
import collections, json, pathlib, sys
total = collections.Counter()
for results in pathlib.Path(sys.argv[1]).glob("with*.json"):
    total.update(json.loads(results.read_text()))
pathlib.Path(sys.argv[2]).write_text(json.dumps(total))
CODE

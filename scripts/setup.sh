#!/usr/bin/env bash
# What a build needs, on a fresh Debian 12 with Swift 6.3: checks it, installs what is missing.
# usage: scripts/setup.sh [--tests]      exit 69: something is missing that could not be installed.
# Only the check of OTLP by foreign code needs a Python package, in the folder .venv (with --tests).
set -euo pipefail

packages=(libzstd-dev libdeflate-dev libsqlite3-dev zlib1g-dev libgoogle-perftools-dev pkg-config)
[[ ${1:-} == --tests ]] && packages+=(valgrind curl zstd python3-venv)

unavailable() { printf 'setup: %s\n' "$@" >&2; exit 69; }

command -v swift >/dev/null ||
    unavailable "Swift is not on the PATH." "Install Swift 6.3 (swift.org/install/linux), then run this again."
version=$(swift --version 2>/dev/null | sed -n 's/.*Swift version \([0-9]*\.[0-9]*\).*/\1/p' | head -n 1)
if [[ -z $version || ${version%%.*} -lt 6 || ( ${version%%.*} -eq 6 && ${version#*.} -lt 3 ) ]]; then
    unavailable "Swift 6.3 or later is needed, this is ${version:-unknown}." "Install it (swift.org/install/linux)."
fi
if [[ ${1:-} == --tests ]]; then
    command -v python3 >/dev/null || unavailable "python3 is not on the PATH." "Install it: apt-get install python3"
fi

python_packages() {
    local list=Tests/otlp/requirements.txt
    cd "$(dirname "$0")/.."
    [[ -x .venv/bin/python ]] || python3 -m venv .venv || unavailable "Python cannot make the folder .venv."
    .venv/bin/python -c "import opentelemetry.proto.trace.v1.trace_pb2" 2>/dev/null ||
        .venv/bin/pip install --quiet --disable-pip-version-check -r "$list" ||
        unavailable "The Python packages of $list could not be installed."
}
finish() {
    if [[ ${1:-} == --tests ]]; then python_packages; fi
    exit 0
}

command -v dpkg-query >/dev/null ||
    unavailable "This is no Debian: install what these packages hold by your own means: ${packages[*]}"
missing=()
for package in "${packages[@]}"; do
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true) == installed ]] || missing+=("$package")
done
[[ ${#missing[@]} -eq 0 ]] && finish "$@"

command="apt-get update && apt-get install -y --no-install-recommends ${missing[*]}"
echo "setup: installing ${missing[*]}" >&2
if [[ $(id -u) -eq 0 ]]; then
    as_root=(env DEBIAN_FRONTEND=noninteractive)
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    as_root=(sudo -n env DEBIAN_FRONTEND=noninteractive)
else
    unavailable "Debian packages are missing; neither root nor passwordless sudo is at hand. Run as root:" "  $command"
fi
# Debian's package lists may be there already: the update is only made when the first attempt fails.
install=(apt-get install -y --no-install-recommends "${missing[@]}")
"${as_root[@]}" "${install[@]}" >/dev/null 2>&1 && finish "$@"
"${as_root[@]}" apt-get update >&2 && "${as_root[@]}" "${install[@]}" >&2 && finish "$@"
unavailable "The installation failed. Run as root:" "  $command"

#!/usr/bin/env bash
# What browser tests and screenshots need: Debian's chromium and chromium-driver, and selenium in the folder .venv.
# exit 69: something is missing that could not be installed.
set -euo pipefail
cd "$(dirname "$0")/.."
unavailable() { printf 'setup-browser: %s\n' "$@" >&2; exit 69; }

if ! command -v chromium >/dev/null || ! command -v chromedriver >/dev/null; then
    install=(apt-get install -y --no-install-recommends chromium chromium-driver)
    [[ $(id -u) -eq 0 ]] || install=(sudo -n "${install[@]}")
    "${install[@]}" >/dev/null 2>&1 || unavailable "chromium is missing. Run as root:" "  ${install[*]}"
fi
[[ -x .venv/bin/python ]] || python3 -m venv .venv || unavailable "Missing: apt-get install python3-venv"
.venv/bin/python -c "import selenium, PIL" 2>/dev/null ||
    .venv/bin/pip install --quiet --disable-pip-version-check -r Tests/browser/requirements.txt ||
    unavailable "Python's packages cannot be installed (Tests/browser/requirements.txt)."

#!/usr/bin/env bash
# What browser tests and screenshots need: Debian's chromium and chromium-driver, and selenium in the folder .venv.
# exit 69: something is missing that could not be installed.
set -euo pipefail
cd "$(dirname "$0")/.."
unavailable() { printf 'setup-browser: %s\n' "$@" >&2; exit 69; }

if ! command -v chromium >/dev/null || ! command -v chromedriver >/dev/null; then
    # With what the packages recommend: without fonts a page has no text to look at.
    install=(apt-get install -y chromium chromium-driver)
    as_root=(env DEBIAN_FRONTEND=noninteractive)
    [[ $(id -u) -eq 0 ]] || as_root=(sudo -n "${as_root[@]}")
    "${as_root[@]}" "${install[@]}" >/dev/null 2>&1 ||
        { "${as_root[@]}" apt-get update >/dev/null 2>&1 && "${as_root[@]}" "${install[@]}" >/dev/null 2>&1; } ||
        unavailable "chromium is missing. Run as root:" "  apt-get update && ${install[*]}"
fi
[[ -x .venv/bin/python ]] || python3 -m venv .venv || unavailable "Missing: apt-get install python3-venv"
.venv/bin/python -c "import selenium, PIL" 2>/dev/null ||
    .venv/bin/pip install --quiet --disable-pip-version-check -r Tests/browser/requirements.txt ||
    unavailable "Python's packages cannot be installed (Tests/browser/requirements.txt)."

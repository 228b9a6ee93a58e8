#!/usr/bin/env bash
# Text rules of the house: line length, banned words, white space, imports that run one way,
# and documents that say what is there (scripts/docs-check.sh). Exit 1 names each breach.
set -euo pipefail
cd "$(dirname "$0")/.."
status=0
scripts/docs-check.sh || status=1
python3 - <<'PYTHON' || status=1
import re
import subprocess
import sys

LINE_LENGTH, FILE_LINES = 120, 600
TEXT = (".swift", ".js", ".css", ".html", ".h", ".c", ".sh", ".py", ".yml", ".yaml", ".toml", ".md")
CODE = (".swift", ".h", ".c")
NOT_OURS = ("Tests/score/", "Tests/Fixtures/")
BANNED = [r"\btry!", r"\bTODO\b", r"\bFIXME\b", r'fatalError\("?not implemented']
COLLECTIONS = {"BasicContainers", "BitCollections", "DequeModule", "HashTreeCollections", "HeapModule",
               "OrderedCollections"}
# Which modules a folder may import (allowed) or must not (forbidden): Router, Worker -> SharedNet -> Shared -> Linking.
ALLOWED = {"Sources/Linking/": COLLECTIONS | {"CIntrinsics", "Synchronization"}}
FORBIDDEN = {
    "Sources/Shared/Core/": re.compile(r"NIO.*|_NIO.*|Hummingbird.*|GRDB|AsyncHTTPClient|SharedNet|Router|Worker"),
    "Sources/Shared/Net/": re.compile(r"Router|Worker"),
    "Sources/Worker/": re.compile(r"Router|GRDB"),
    "Sources/Router/": re.compile(r"Worker"),
}
IMPORT = re.compile(r"^\s*(?:@[\w()]+\s+)*(?:(?:public|internal|package|private|fileprivate)\s+)?"
                    r"import\s+(?:(?:struct|class|enum|protocol|func|var|let|typealias)\s+)?(\w+)")

listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], capture_output=True, text=True)
files = listed.stdout.splitlines()
if listed.returncode or not files:
    sys.exit("tidy: git ls-files found nothing: run this inside the repository")

breaches, notes = [], []
for path in files:
    if path.startswith(NOT_OURS) or path.endswith(".pb.swift"):
        continue
    script = path.startswith(("scripts/", ".ci/"))
    if not (path.endswith(TEXT) or script):
        continue
    try:
        with open(path, encoding="utf-8", newline="") as file:
            lines = file.read().split("\n")
    except FileNotFoundError:
        continue  # removed from the working tree, not yet from the index
    except UnicodeDecodeError:
        breaches.append(f"{path}: not UTF-8")
        continue
    swift = path.endswith(".swift")
    for number, line in enumerate(lines, 1):
        place = f"{path}:{number}"
        if line != line.rstrip():
            breaches.append(f"{place}: trailing white space")
        if "\t" in line and not path.endswith(".md"):
            breaches.append(f"{place}: tab")
        if len(line) > LINE_LENGTH and not path.endswith(".md"):
            breaches.append(f"{place}: {len(line)} columns, at most {LINE_LENGTH}")
        if path.endswith(CODE):
            breaches += [f"{place}: banned: {word}" for word in BANNED if re.search(word, line)]
        found = IMPORT.match(line) if swift else None
        if found:
            module = found.group(1)
            for folder, allowed in ALLOWED.items():
                if path.startswith(folder) and module not in allowed:
                    breaches.append(f"{place}: {folder} must not import {module}")
            for folder, forbidden in FORBIDDEN.items():
                if path.startswith(folder) and forbidden.fullmatch(module):
                    breaches.append(f"{place}: {folder} must not import {module}")
    if swift and len(lines) > FILE_LINES:
        notes.append(f"{path}: {len(lines)} lines: is it still one theme?")

for note in notes:
    print(f"note: {note}")
for breach in breaches:
    print(breach)
print(f"tidy: {len(files)} files, {len(breaches)} breaches")
sys.exit(1 if breaches else 0)
PYTHON
exit "$status"

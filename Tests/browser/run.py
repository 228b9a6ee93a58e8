#!/usr/bin/env python3
"""Runs the browser tests against a console that runs: run.py --console http://127.0.0.1:9530 [NAME…]"""
import argparse
import os
import sys
import unittest

from console import ConsoleTest

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--console", required=True, help="address of a console with traces in its store")
parser.add_argument("--strict", action="store_true", help="a test that finds no traces to look at fails")
parser.add_argument("names", nargs="*", help="only tests whose name has one of these in it")
options = parser.parse_args()

ConsoleTest.address = options.console.rstrip("/")
os.chdir(os.path.dirname(os.path.abspath(__file__)))
loader = unittest.TestLoader()
if options.names:
    loader.testNamePatterns = [f"*{name}*" for name in options.names]
result = unittest.TextTestRunner(verbosity=2).run(loader.discover("."))
print(f"browser: {result.testsRun} tests, {len(result.failures) + len(result.errors)} failed, "
      f"{len(result.skipped)} skipped")
sys.exit(0 if result.wasSuccessful() and not (options.strict and result.skipped) else 1)

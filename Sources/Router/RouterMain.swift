import ArgumentParser
import SharedNet
import NIOHTTP1
import Subprocess
@main struct RouterMain: ParsableCommand { func run() {} }

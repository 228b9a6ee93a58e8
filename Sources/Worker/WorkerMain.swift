import ArgumentParser
import SharedNet
@main struct WorkerMain: ParsableCommand { func run() {} }

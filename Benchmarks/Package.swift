// swift-tools-version: 6.2
import PackageDescription

let ours: [SwiftSetting] = [
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
]

/// The load generator and the end-to-end harness. It depends on nothing, not even on the package it measures:
/// it talks to the built programs over their sockets, and a cold build takes well under a minute.
/// The gates that call into the product (decode-gate, linking-bench) are targets of the root package
/// with their sources in `Benchmarks/Gates`, because here they would compile its dependencies a second time.
let package = Package(
    name: "ebpftrace-benchmarks",
    products: [.executable(name: "ebpftrace-bench", targets: ["Bench"])],
    targets: [
        .systemLibrary(name: "CZlib", providers: [.apt(["zlib1g-dev"])]),
        .target(name: "LoadModel", swiftSettings: ours),
        .target(name: "LoadNet", dependencies: ["LoadModel", "CZlib"], swiftSettings: ours),
        .executableTarget(name: "Bench", dependencies: ["LoadModel", "LoadNet"], swiftSettings: ours),
    ]
)

// swift-tools-version: 6.2
import PackageDescription

/// Settings of every Swift target of ours: Swift 6 language mode comes with the tools version; a warning is an error.
let ours: [SwiftSetting] = [
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
]

let package = Package(
    name: "ebpftrace",
    products: [
        .executable(name: "ebpftrace-router", targets: ["Router"]),
        .executable(name: "ebpftrace-worker", targets: ["Worker"]),
        .library(name: "Linking", targets: ["Linking"]),
        .library(name: "Shared", targets: ["Shared"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/LebJe/TOMLKit", from: "0.6.0"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.2"),
    ],
    targets: [
        .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
        .systemLibrary(name: "CDeflate", pkgConfig: "libdeflate", providers: [.apt(["libdeflate-dev"])]),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .target(name: "CIntrinsics"),
        // The files of Sources/Router/UI as bytes: one executable, no resource bundle.
        .target(name: "CConsole"),
        // Compiled against the headers of libgoogle-perftools-dev; nothing of it is linked.
        .target(name: "CProfiling"),
        .target(name: "Linking", dependencies: ["CIntrinsics"], swiftSettings: ours),
        .target(
            name: "Shared",
            dependencies: [
                "Linking", "CIntrinsics", "CZstd", "CDeflate",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Yams", package: "Yams"),
                .product(name: "TOMLKit", package: "TOMLKit"),
            ],
            path: "Sources/Shared/Core", swiftSettings: ours),
        .target(
            name: "SharedNet",
            dependencies: [
                "Shared", "CProfiling",
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            path: "Sources/Shared/Net", swiftSettings: ours),
        .executableTarget(
            name: "Router",
            dependencies: [
                "SharedNet", "Linking", "Shared", "CConsole", "CZlib", "CZstd",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOFoundationCompat", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "Subprocess", package: "swift-subprocess"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ],
            exclude: ["UI"],
            swiftSettings: ours),
        .executableTarget(
            name: "Worker",
            dependencies: [
                "SharedNet", "Linking", "Shared", "CIntrinsics",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOFoundationCompat", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: ours),
        // Gates that call into the product; no products of the package. Sources beside the nested Benchmarks package,
        // targets here, where the modules they measure are compiled anyway.
        .executableTarget(
            name: "decode-gate", dependencies: ["Linking", "Shared"], path: "Benchmarks/Gates/DecodeGate",
            swiftSettings: ours),
        .executableTarget(
            name: "export-gate", dependencies: ["Linking", "Shared"], path: "Benchmarks/Gates/ExportGate",
            swiftSettings: ours),
        .executableTarget(
            name: "linking-bench", dependencies: ["Linking", "Shared"], path: "Benchmarks/Gates/LinkingBench",
            swiftSettings: ours),
        .testTarget(
            name: "LinkingTests",
            dependencies: ["Linking", .product(name: "Crypto", package: "swift-crypto")], swiftSettings: ours),
        .testTarget(
            name: "SharedTests",
            dependencies: [
                "Shared",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "SwiftProtobuf", package: "swift-protobuf"),
            ],
            swiftSettings: ours),
        // Starts, feeds and stops the real executables; for the two test targets below.
        .target(name: "ProductSupport", path: "Tests/ProductSupport", swiftSettings: ours),
        .testTarget(name: "ParityTests", dependencies: ["ProductSupport", "Router", "Worker"], swiftSettings: ours),
        .testTarget(
            name: "IntegrationTests", dependencies: ["ProductSupport", "Linking", "Shared", "Router", "Worker"],
            swiftSettings: ours),
        .testTarget(
            name: "RouterTests",
            dependencies: ["Router", .product(name: "HummingbirdTesting", package: "hummingbird")],
            swiftSettings: ours),
        .testTarget(
            name: "WorkerTests",
            dependencies: [
                "Worker",
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            swiftSettings: ours),
    ]
)

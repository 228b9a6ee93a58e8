import Foundation
import Testing

@testable import Shared

/// Dashboards and alerts ask for series that the product has.
@Suite struct DeployTests {
    private static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// Names as `/metrics` prints them.
    private static let names: Set<String> = Set(
        Metric.all.flatMap { definition in
            definition.kind == .histogram
                ? ["_bucket", "_sum", "_count"].map { definition.name + $0 } : [definition.name]
        })

    private static func labels(of name: String) -> Set<String> {
        let definition = Metric.all.first { name == $0.name || name.hasPrefix($0.name + "_") }
        return Set(definition?.labels ?? []).union(["job", "le", "worker", "instance"])
    }

    @Test(arguments: ["deploy/grafana/ebpftrace.json", "deploy/prometheus/alerts.yaml"])
    func everySeriesExists(_ path: String) throws {
        let text = try String(contentsOf: Self.root.appendingPathComponent(path), encoding: .utf8)
        let found = text.matches(of: /\b(ebpftrace|traces_service_graph)_[a-z0-9_]+/).map { String($0.output.0) }
        #expect(found.count >= 9)
        for name in Set(found) { #expect(Self.names.contains(name), "\(path) asks for \(name)") }
    }

    @Test func everyLabelOfTheDashboardExists() throws {
        let data = try Data(contentsOf: Self.root.appendingPathComponent("deploy/grafana/ebpftrace.json"))
        let board = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
        let panels = try #require(board["panels"] as? [[String: Any]])
        var expressions = 0
        for target in panels.flatMap({ $0["targets"] as? [[String: Any]] ?? [] }) {
            let expression = try #require(target["expr"] as? String)
            expressions += 1
            let names = expression.matches(of: /\b(ebpftrace|traces_service_graph)_[a-z0-9_]+/)
                .map { String($0.output.0) }
            let known = names.reduce(into: Set<String>()) { $0.formUnion(Self.labels(of: $1)) }
            for match in expression.matches(of: /by \(([a-z_, ]+)\)/) {
                for label in match.output.1.split(separator: ",").map({ $0.trimmingCharacters(in: .whitespaces) }) {
                    #expect(known.contains(label), "\(label) in \(expression)")
                }
            }
        }
        #expect(expressions > 20)
    }
}

import Foundation
import Linking

@testable import Shared

typealias OTLPRequest = Ebpftrace_Otlp_ExportRequest
typealias OTLPSpanMessage = Ebpftrace_Otlp_Span

/// A span as OTLP says it, without the order of attributes.
struct OTLPSpanFacts: Equatable {
    var trace = ""
    var span = ""
    var parent = ""
    var name = ""
    var kind = 0
    var start: UInt64 = 0
    var end: UInt64 = 0
    var status = 0
    var message = ""
    var attributes: [String: String] = [:]
    var resource: [String: String] = [:]
}

/// What docs/otlp.md says, written down a second time: with dictionaries and `String`s, and with no regard to cost.
struct OTLPReference {
    var rules: ExportRules
    var fields: OTLPFields
    private var values: [String: OracleField.OneOf_Val] = [:]
    private var facts = OTLPSpanFacts()

    init(rules: ExportRules, fields: OTLPFields) {
        self.rules = rules
        self.fields = fields
    }

    static func of(
        _ point: OraclePoint, _ verdict: SpanVerdict, _ rules: ExportRules, _ fields: OTLPFields
    ) -> OTLPSpanFacts {
        var reference = OTLPReference(rules: rules, fields: fields)
        for field in point.fields { reference.values[field.key] = field.val }
        reference.build(point, verdict)
        return reference.facts
    }

    // MARK: Values

    private func text(_ key: String) -> String? {
        switch values[key] {
        case .s(let text): text.isEmpty ? nil : text
        case .d(let data): data.isEmpty ? nil : String(decoding: data, as: UTF8.self)
        default: nil
        }
    }

    private func integer(_ key: String) -> UInt64? {
        func decimal(_ text: String) -> UInt64? {
            text.hasPrefix("+") ? nil : UInt64(text) ?? Int64(text).map { UInt64(bitPattern: $0) }
        }
        switch values[key] {
        case .i(let number): return UInt64(bitPattern: number)
        case .u(let number): return number
        case .s(let text): return decimal(text)
        case .d(let data): return String(data: data, encoding: .utf8).flatMap(decimal)
        case .f(let number): return Int64(exactly: number).map { UInt64(bitPattern: $0) }
        default: return nil
        }
    }

    private func printed(_ key: String) -> String? {
        switch values[key] {
        case .s, .d: return text(key)
        case .u(let number): return String(number)
        default: return integer(key).map { String(Int64(bitPattern: $0)) }
        }
    }

    private mutating func set(_ name: String, _ value: String?) {
        if let value { facts.attributes[name] = value }
    }

    private mutating func setNumber(_ name: String, _ key: String) {
        set(name, integer(key).map { "#\(Int64(bitPattern: $0))" })
    }

    static func hex(_ value: UInt64) -> String {
        let text = String(value, radix: 16)
        return String(repeating: "0", count: 16 - text.count) + text
    }

    static func hex(_ id: TraceID) -> String { hex(id.high) + hex(id.low) }

    // MARK: Build

    private mutating func build(_ point: OraclePoint, _ verdict: SpanVerdict) {
        buildIDs(verdict)
        let isEntry =
            switch values["direction"].flatMap({ _ in text("direction") }) {
            case "incoming": true
            case "outgoing": false
            default: text("ebpf_span_type") == "entry"
            }
        facts.kind = isEntry ? 2 : 3
        buildTimes(point)
        buildEnds(isEntry)
        setNumber("process.pid", "pid")
        set("process.executable.name", printed("process_name"))
        setNumber("thread.id", "tid")
        set("thread.name", printed("thread_name"))
        buildCall(isEntry)
        buildResource()
        if fields == .link {
            let told = toldByAttributes(isEntry)
            buildFields(point.fields.filter { Self.linkFields.contains($0.key) && !told.contains($0.key) })
        }
        if fields == .all { buildFields(point.fields.filter { !Self.replaced.contains($0.key) }) }
    }

    /// Link facts that the attributes hold.
    private func toldByAttributes(_ isEntry: Bool) -> Set<String> {
        var told: Set<String> = []
        if values["direction"].flatMap({ _ in text("direction") }) == (isEntry ? "incoming" : "outgoing") {
            told.insert("direction")
        }
        if text("ebpf_span_type") == (isEntry ? "entry" : "exit") { told.insert("ebpf_span_type") }
        for name in ["pid", "tid", "src_port", "dst_port"] where integer(name) != nil { told.insert(name) }
        for name in ["src_ip", "dst_ip"] where !(text(name) ?? "").isEmpty { told.insert(name) }
        if !(text("dst_nat_ip") ?? "").isEmpty {
            told.insert("dst_nat_ip")
            if integer("dst_nat_port") != nil { told.insert("dst_nat_port") }
        }
        return told
    }

    static let linkFields: Set<String> = [
        "req_seq", "resp_seq", "thread_trace_id", "direction", "ebpf_span_type", "pid", "tid", "tid_usr", "ktime",
        "src_ip", "src_port", "dst_ip", "dst_port", "dst_nat_ip", "dst_nat_port", "app_trace_id", "app_parent_id",
    ]
    static let replaced: Set<String> = [
        "span_id", "parent_id", "trace_id", "ebpf_trace_id", "ebpf_parent_id", "app_trace_id_l", "app_trace_id_h",
        "app_parent_id_l", "link_evidence", "late", "root_missing", "truncated", "",
    ]

    private mutating func buildIDs(_ verdict: SpanVerdict) {
        var trace = verdict.traceID.isNone ? verdict.ebpfTraceID : verdict.traceID
        if trace.high == 0, verdict.flags.contains(.applicationTrace), let text = text("_dd.p.tid"), text.count <= 16 {
            trace.high = UInt64(text, radix: 16) ?? 0
        }
        if trace.isNone { trace.low = verdict.spanID.bits }
        var parent = verdict.parentID.bits
        if rules.useApplicationTraceID, let application = integer("app_parent_id_l"), application != 0 {
            parent = application
        }
        facts.trace = Self.hex(trace)
        facts.span = Self.hex(verdict.spanID.bits)
        facts.parent = parent == 0 ? "" : Self.hex(parent)
        if trace != verdict.ebpfTraceID, !verdict.ebpfTraceID.isNone {
            set("ebpftrace.trace_id", Self.hex(verdict.ebpfTraceID))
        }
        if verdict.parentID != .none, verdict.parentID.bits != parent {
            set("ebpftrace.parent_id", Self.hex(verdict.parentID.bits))
        }
        if verdict.evidence != .none { set("ebpftrace.evidence", verdict.evidence.name) }
        if verdict.flags.contains(.late) { set("ebpftrace.late", "true") }
        if verdict.flags.contains(.rootMissing) { set("ebpftrace.root_missing", "true") }
        if verdict.flags.contains(.truncated) { set("ebpftrace.truncated", "true") }
    }

    private mutating func buildTimes(_ point: OraclePoint) {
        facts.start = point.time > 0 ? UInt64(point.time) : 0
        if let start = integer("start"), Int64(bitPattern: start) > 0, start <= UInt64.max / 1000 {
            facts.start = start * 1000
        }
        facts.end = facts.start
        let duration = integer("duration").map { Int64(bitPattern: $0) } ?? -1
        let (end, overflow) = facts.start.addingReportingOverflow(UInt64(max(0, min(duration, 1 << 50))) * 1000)
        if (0...30 * 86_400 * 1_000_000).contains(duration), !overflow {
            facts.end = end
        } else {
            set("ebpftrace.open", "true")
        }
    }

    private mutating func buildEnds(_ isEntry: Bool) {
        let peer = text("dst_nat_ip") == nil ? "dst" : "dst_nat"
        set("network.local.address", printed("src_ip"))
        setNumber("network.local.port", "src_port")
        set("network.peer.address", printed(peer + "_ip"))
        setNumber("network.peer.port", peer + "_port")
        set("server.address", printed(isEntry ? "src_ip" : "dst_ip"))
        setNumber("server.port", isEntry ? "src_port" : "dst_port")
        if isEntry {
            set("client.address", printed("dst_ip"))
            setNumber("client.port", "dst_port")
        }
    }

    private mutating func buildResource() {
        let names = [
            ("service.name", ["service"]), ("host.name", ["host"]),
            ("k8s.namespace.name", ["k8s_namespace", "pod_namespace", "src_k8s_namespace"]),
        ]
        for (name, keys) in names {
            for key in keys { if let value = text(key) { facts.resource[name] = value } }
        }
        if facts.resource["service.name"] == nil { facts.resource["service.name"] = "unknown_service" }
    }

    private mutating func buildFields(_ fields: [OracleField]) {
        for field in fields where values[field.key] != nil {
            let value: String? =
                switch values[field.key] {
                case .i(let number): "#\(number)"
                case .u(let number): number >> 63 == 0 ? "#\(number)" : "\(number)"
                case .f(let number): "f\(number)"
                case .b(let bool): "\(bool)"
                case .s(let text): text
                case .d(let data): "bytes \(data.count)"
                case .a(let any): "bytes \((try? any.serializedData().count) ?? 0)"
                case nil: nil
                }
            set("ebpf." + field.key, value)
        }
    }

    // MARK: Calls

    private mutating func fail(_ type: String, _ message: String? = nil) {
        facts.status = 2
        facts.message = message ?? ""
        set("error.type", type)
    }

    private var isError: Bool { text("status") == "error" }

    private mutating func buildCall(_ isEntry: Bool) {
        let operation = text("operation") ?? ""
        facts.name = text("resource") ?? text("operation") ?? text("http_method") ?? "request"
        if values["grpc_status_code"] != nil { return buildGRPC(isEntry) }
        if values["http_method"] != nil || values["http_status_code"] != nil { return buildHTTP(isEntry) }
        if values["pgsql_status_code"] != nil || values["pgsql_msg"] != nil { return buildSQL("postgresql") }
        if values["mysql_comment"] != nil { return buildSQL("mysql") }
        if values["amqp_class"] != nil { return buildMessaging(isEntry) }
        if operation.hasPrefix("Redis") { return buildRedis(operation) }
        if operation.hasPrefix("HTTP") { return buildHTTP(isEntry) }
        if operation.hasPrefix("gRPC") { return buildGRPC(isEntry) }
        if operation.hasPrefix("PostgreSQL") { return buildSQL("postgresql") }
        if operation.hasPrefix("MySQL") { return buildSQL("mysql") }
        if operation.hasPrefix("AMQP") { return buildMessaging(isEntry) }
        if isError { fail("_OTHER", text("err_msg")) }
    }

    private mutating func buildHTTP(_ isEntry: Bool) {
        set("http.request.method", printed("http_method"))
        if let route = text("http_route") {
            let parts = route.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            if !parts[0].isEmpty { set("url.path", parts[0]) }
            if parts.count == 2, !parts[1].isEmpty { set("url.query", parts[1]) }
        }
        set("network.protocol.version", printed("http_version"))
        let code = integer("http_status_code").flatMap { (100..<1000).contains($0) ? Int($0) : nil }
        if let code { set("http.response.status_code", "#\(code)") }
        if let code, code >= (isEntry ? 500 : 400) || isError && code >= 400 {
            fail("\(code)")
        } else if isError {
            fail("_OTHER")
        }
    }

    private mutating func buildGRPC(_ isEntry: Bool) {
        set("rpc.system.name", "grpc")
        if let route = text("http_route") {
            let path = route.prefix { $0 != "?" }
            let method = String(path.hasPrefix("/") ? path.dropFirst() : path)
            if !method.isEmpty {
                set("rpc.method", method)
                facts.name = method
            }
        }
        guard let code = integer("grpc_status_code") else {
            if isError { fail("_OTHER", text("err_msg")) }
            return
        }
        let names = [
            "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
            "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE",
            "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
        ]
        let name = code < 17 ? names[Int(code)] : "UNKNOWN"
        set("rpc.response.status_code", name)
        let serverErrors = ["UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"]
        let isBad = isEntry ? serverErrors.contains(name) : name != "OK"
        if isBad || isError { fail(name == "OK" ? "_OTHER" : name) }
    }

    private static func firstWord(_ text: String) -> String {
        var word: [UInt8] = []
        for byte in text.utf8.prefix(32) {
            let scalar = Character(UnicodeScalar(byte))
            guard byte < 0x80, scalar.isLetter || scalar.isNumber || scalar == "_" || scalar == "." else { break }
            word.append(byte)
        }
        return String(decoding: word, as: UTF8.self)
    }

    private var sqlOperation: String {
        let word = Self.firstWord(text("resource") ?? "")
        return word.isEmpty ? text("resource_type") ?? "" : word
    }

    private mutating func buildDatabase(_ system: String, _ operation: String) {
        set("db.system.name", system)
        if !operation.isEmpty { set("db.operation.name", operation) }
        set("db.query.text", printed("resource"))
        facts.name = operation.isEmpty ? system : operation
    }

    private mutating func buildSQL(_ system: String) {
        buildDatabase(system, sqlOperation)
        if system == "mysql" {
            if let code = integer("err_code"), code != 0 {
                set("db.response.status_code", printed("err_code"))
                return fail(printed("err_code") ?? "", text("err_msg"))
            }
            if isError { fail("_OTHER", text("err_msg")) }
            return
        }
        let message = text("pgsql_msg") ?? text("pgsql_err_msg")
        guard let code = text("pgsql_status_code"), code != "00000" else {
            if isError { fail("_OTHER", message) }
            return
        }
        set("db.response.status_code", code)
        if isError || !["00", "01", "02"].contains(where: code.hasPrefix) { fail(code, message) }
    }

    private mutating func buildRedis(_ operation: String) {
        let word = operation.hasPrefix("Redis ") ? Self.firstWord(String(operation.dropFirst(6))) : ""
        buildDatabase("redis", word.isEmpty ? sqlOperation : word)
        let message = text("err_msg")
        let prefix = message.map { $0.hasPrefix("-") ? Self.firstWord(String($0.dropFirst())) : "" } ?? ""
        guard isError || !prefix.isEmpty else { return }
        if !prefix.isEmpty { set("db.response.status_code", prefix) }
        fail(prefix.isEmpty ? "_OTHER" : prefix, message)
    }

    private mutating func buildMessaging(_ isEntry: Bool) {
        let names = [
            "Publish": "publish", "Deliver": "deliver", "Return": "return", "Get": "get", "Consume": "consume",
            "ACK": "ack", "Ack": "ack", "Reject": "reject", "Nack": "nack",
        ]
        let operation = names[text("resource") ?? ""]
        if ["publish", "deliver", "return"].contains(operation) { facts.kind = isEntry ? 5 : 4 }
        set("messaging.system", "rabbitmq")
        set("messaging.operation.name", operation ?? printed("resource"))
        if facts.kind == 4 { set("messaging.operation.type", "send") }
        if facts.kind == 5 || operation == "get" { set("messaging.operation.type", "receive") }
        if ["ack", "reject", "nack"].contains(operation) { set("messaging.operation.type", "settle") }
        let exchange = text("amqp_exchange")
        let routing = text("amqp_routing_key") ?? (exchange == nil ? text("amqp_queue") : nil)
        let destination = [exchange, routing].compactMap { $0 }.joined(separator: ":")
        if !destination.isEmpty { set("messaging.destination.name", destination) }
        set("messaging.rabbitmq.destination.routing_key", printed("amqp_routing_key"))
        if let operation { facts.name = destination.isEmpty ? operation : "\(operation) \(destination)" }
        if isError { fail("_OTHER", text("err_msg")) }
    }
}

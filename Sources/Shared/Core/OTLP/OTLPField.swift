import Linking

/// The fields of a point that the OTLP span is made of, in the order of their slots.
///
/// Several names may fill one slot: agents differ in how they name Kubernetes facts. Of repeated fields the last wins.
enum OTLPField: UInt8, CaseIterable {
    // The resource: the first `resourceCount`.
    case service = 0
    case host, namespace, pod, node, deployment, cluster, kubernetesService, containerName, containerID
    case environment, version

    // Every span.
    case direction, spanType, start, duration, status, operation, resource, resourceType
    case sourceAddress, sourcePort, destinationAddress, destinationPort, natAddress, natPort
    case processID, processName, threadID, threadName, parentLow, traceLow, traceHigh, datadogHigh

    // By protocol.
    case httpMethod, httpRoute, httpVersion, httpStatus, grpcStatus, statusCode, errorMessage, errorCode
    case mysqlComment, pgsqlStatus, pgsqlMessage, pgsqlErrorMessage
    case amqpClass, amqpQueue, amqpExchange, amqpRoutingKey

    // Link facts.
    case requestSequence, responseSequence, threadTraceID, userThreadID, kernelTime, traceText, parentText

    /// How many describe the resource.
    static let resourceCount = 12

    /// The names on the wire.
    var names: [String] {
        switch self {
        case .service: ["service"]
        case .host: ["host"]
        case .namespace: ["k8s_namespace", "pod_namespace", "src_k8s_namespace"]
        case .pod: ["k8s_pod_name", "pod_name", "src_k8s_pod_name"]
        case .node: ["k8s_node_name", "node_name"]
        case .deployment: ["k8s_deployment_name", "k8s_deployment", "deployment", "src_k8s_deployment_name"]
        case .cluster: ["k8s_cluster_name", "cluster_name_k8s"]
        case .kubernetesService: ["k8s_service_name", "src_k8s_service_name"]
        case .containerName: ["container_name"]
        case .containerID: ["container_id"]
        case .environment: ["env"]
        case .version: ["version"]
        case .direction: ["direction"]
        case .spanType: ["ebpf_span_type"]
        case .start: ["start"]
        case .duration: ["duration"]
        case .status: ["status"]
        case .operation: ["operation"]
        case .resource: ["resource"]
        case .resourceType: ["resource_type"]
        case .sourceAddress: ["src_ip"]
        case .sourcePort: ["src_port"]
        case .destinationAddress: ["dst_ip"]
        case .destinationPort: ["dst_port"]
        case .natAddress: ["dst_nat_ip"]
        case .natPort: ["dst_nat_port"]
        case .processID: ["pid"]
        case .processName: ["process_name"]
        case .threadID: ["tid"]
        case .threadName: ["thread_name"]
        case .parentLow: ["app_parent_id_l"]
        case .traceLow: ["app_trace_id_l"]
        case .traceHigh: ["app_trace_id_h"]
        case .datadogHigh: ["_dd.p.tid"]
        case .httpMethod: ["http_method"]
        case .httpRoute: ["http_route"]
        case .httpVersion: ["http_version"]
        case .httpStatus: ["http_status_code"]
        case .grpcStatus: ["grpc_status_code"]
        case .statusCode: ["status_code"]
        case .errorMessage: ["err_msg"]
        case .errorCode: ["err_code"]
        case .mysqlComment: ["mysql_comment"]
        case .pgsqlStatus: ["pgsql_status_code"]
        case .pgsqlMessage: ["pgsql_msg"]
        case .pgsqlErrorMessage: ["pgsql_err_msg"]
        case .amqpClass: ["amqp_class"]
        case .amqpQueue: ["amqp_queue"]
        case .amqpExchange: ["amqp_exchange"]
        case .amqpRoutingKey: ["amqp_routing_key"]
        case .requestSequence: ["req_seq"]
        case .responseSequence: ["resp_seq"]
        case .threadTraceID: ["thread_trace_id"]
        case .userThreadID: ["tid_usr"]
        case .kernelTime: ["ktime"]
        case .traceText: ["app_trace_id"]
        case .parentText: ["app_parent_id"]
        }
    }
}

/// Finds the slot of a key: one hash of two or three words, one comparison. About fifteen instructions.
struct OTLPKeyTable: Sendable {
    /// A key of 3 to 24 bytes as words; `length` 0 is an empty place.
    struct Entry: Sendable {
        var first: UInt64 = 0
        var last: UInt64 = 0
        var middle: UInt64 = 0
        var length = 0
        var slot = 0
    }

    static let size = 256
    /// Made once; a full table of all names.
    static let shared: [Entry] = make()

    /// The words of a key, or nil when no key has its length. Every load lies within the key.
    @inline(__always) static func words(_ base: UnsafeRawPointer, _ at: Int, _ length: Int) -> Entry? {
        var key = Entry()
        key.length = length
        if length >= 8 {
            guard length <= 24 else { return nil }
            key.first = KeyBytes.eight(base, at)
            key.last = KeyBytes.eight(base, at &+ length &- 8)
            if length > 16 { key.middle = KeyBytes.eight(base, at &+ 8) }
        } else if length >= 4 {
            key.first = KeyBytes.halves(base, at, length)
        } else {
            guard length == 3 else { return nil }
            key.first = KeyBytes.three(base, at)
        }
        return key
    }

    @inline(__always) static func place(_ key: Entry) -> Int {
        let mixed = (key.first ^ key.last &* 0x9E37_79B9_7F4A_7C15) &+ key.middle
        return Int(truncatingIfNeeded: (mixed &* 0xC2B2_AE3D_27D4_EB4F) &>> 56)
    }

    /// The slot of a key, or nil. `table` points at `size` entries.
    @inline(__always) static func slot(
        _ table: UnsafePointer<Entry>, _ base: UnsafeRawPointer, _ at: Int, _ length: Int
    ) -> Int? {
        guard let key = words(base, at, length) else { return nil }
        var place = place(key)
        while table[place].length != 0 {
            let entry = table[place]
            if entry.first == key.first, entry.last == key.last, entry.length == length, entry.middle == key.middle {
                return entry.slot
            }
            place = (place &+ 1) & (size &- 1)
        }
        return nil
    }

    private static func make() -> [Entry] {
        var table = [Entry](repeating: Entry(), count: size)
        for field in OTLPField.allCases {
            for name in field.names {
                let bytes = Array(name.utf8)
                let key = bytes.withRawBytes { bytes in
                    bytes.baseAddress.flatMap { words($0, 0, bytes.count) }
                }
                guard var key else { preconditionFailure("the key \(name) is too short or too long for the table") }
                key.slot = Int(field.rawValue)
                var place = place(key)
                while table[place].length != 0 { place = (place + 1) & (size - 1) }
                table[place] = key
            }
        }
        return table
    }
}

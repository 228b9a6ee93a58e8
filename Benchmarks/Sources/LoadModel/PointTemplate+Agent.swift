extension PointTemplate {
    /// One side of a call as its agent reports it: same fields, order and types as recorded agents.
    struct Side {
        var pod: Pod
        var peer: Pod
        /// The address of the called service as this side sees it.
        var peerAddress: String
        var isEntry: Bool
        var isError: Bool
        var profile: Profile
    }

    /// The point of one side of a call between two pods.
    static func agentPoint(_ side: Side) -> PointTemplate {
        var point = PointTemplate(measurement: "dketrace")
        let called = Topology.services[side.isEntry ? side.pod.service : side.peer.service]
        point.integer("bytes_read", .bytesRead)
        point.integer("bytes_written", .bytesWritten)
        if called.kind.isWeb { point.addWeb(called, isError: side.isError) } else { point.addDatabase(called, side) }
        point.addLink(side)
        point.addProcess(side)
        point.addEnds(side, calledPort: called.port)
        if side.profile == .cluster { point.addCluster(side) }
        point.integer("start", .start)
        point.integer("duration", .duration)
        point.text("span_type", side.isEntry ? "entry" : "exit")
        point.time()
        return point
    }

    private mutating func addWeb(_ called: Service, isError: Bool) {
        text("http_method", "GET")
        text("http_route", called.route, digits: .routeID)
        text("http_version", "1.1")
        text("http_status_code", isError ? "503" : "200")
        text("status", isError ? "error" : "ok")
        text("operation", "HTTP")
        text("resource", "GET " + called.route, digits: .routeID)
    }

    private mutating func addDatabase(_ called: Service, _ side: Side) {
        let isRedis = called.kind == .redis || called.kind == .redisElsewhere
        let query = "SELECT id, name, state, updated_at FROM item WHERE owner = #"
        text("resource", isRedis ? "HGETALL session:eu-central:basket:#" : query, digits: .routeID)
        text("resource_type", isRedis ? "HGETALL" : "SELECT")
        text("status_msg", "")
        text("err_msg", side.isError ? "-LOADING the dataset is in memory" : "")
        constantInteger("status_code", side.isError ? 201 : 200)
        text("status", side.isError ? "error" : "ok")
        text("operation", isRedis ? "Redis HGETALL" : "MySQL SELECT")
    }

    private mutating func addLink(_ side: Side) {
        text("ebpf_span_type", side.isEntry ? "entry" : "exit")
        integer("req_seq", .requestSequence)
        integer("resp_seq", .responseSequence)
        text("direction", side.isEntry ? "incoming" : "outgoing")
        integer("thread_trace_id", .threadTraceID)
        integer("tid", .thread)
        integer("ktime", .kernelTime)
    }

    private mutating func addProcess(_ side: Side) {
        let service = Topology.services[side.pod.service]
        text("source_type", "ebpf")
        text("process_name", service.program)
        text("thread_name", service.program)
        text("service", service.name)
        text("pid", String(side.pod.processID))
    }

    private mutating func addEnds(_ side: Side, calledPort: Int) {
        text("dst_ip", side.peerAddress)
        text("src_ip", side.pod.address)
        if side.isEntry {
            text("src_port", String(calledPort))
            text("dst_port", "#", digits: .clientPort)
        } else {
            text("src_port", "#", digits: .clientPort)
            text("dst_port", String(calledPort))
        }
    }

    private mutating func addCluster(_ side: Side) {
        let name = Topology.services[side.pod.service].name
        let pod = "\(name)-6d8f9c7b54-x\(side.pod.processID)"
        text("cluster_name_k8s", "production-eu-1")
        text("container_id", String(repeating: "3fa9c17e5b20d846", count: 4))
        text("container_name", name)
        text("container_runtime", "containerd")
        text("image", "shop/\(name):2.14.3")
        text("k8s_namespace", "shop")
        text("k8s_pod_name", pod)
        text("k8s_deployment", name)
        text("k8s_node_name", "node-\(side.pod.node + 1)")
        text("peer_k8s_namespace", "shop")
        text("peer_k8s_node_name", "node-\(side.peer.node + 1)")
        text("peer_k8s_service", Topology.services[side.peer.service].name)
    }
}

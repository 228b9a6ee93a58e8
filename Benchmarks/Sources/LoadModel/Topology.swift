/// What a service speaks, and whether an agent sees it.
enum ServiceKind {
    case web, redis, mysql
    /// A database outside the cluster: its clients are seen, it is not.
    case redisElsewhere, mysqlElsewhere

    var isRecorded: Bool { self == .web || self == .redis || self == .mysql }
    var isWeb: Bool { self == .web }
}

/// A service: what it is called, where its replicas run, and whom it calls.
struct Service {
    var name: String
    var program: String
    var kind: ServiceKind
    var port: Int
    /// Node of each replica.
    var nodes: [Int]
    var route = ""
    /// Indices of the services it calls.
    var calls: [Int] = []
}

/// The modelled cluster: three nodes, a gateway, seven web services of two replicas, databases inside and outside.
enum Topology {
    static let nodeCount = 3
    static let client = 0
    static let gateway = 1

    static let services: [Service] = [
        Service(name: "load-client", program: "wrk", kind: .web, port: 0, nodes: [0, 1], calls: [1]),
        Service(name: "gateway", program: "nginx", kind: .web, port: 8080, nodes: [0, 1],
                route: "/api/v1/shop/basket/#", calls: [2, 3, 4]),
        Service(name: "orders", program: "gunicorn", kind: .web, port: 8081, nodes: [1, 2],
                route: "/api/v1/orders/#/lines", calls: [5, 6, 9, 11]),
        Service(name: "users", program: "node", kind: .web, port: 8082, nodes: [2, 0],
                route: "/api/v2/users/#/profile", calls: [9, 11, 10]),
        Service(name: "catalog", program: "java", kind: .web, port: 8083, nodes: [1, 0],
                route: "/api/v1/catalog/items/#", calls: [6, 9, 12]),
        Service(name: "payments", program: "java", kind: .web, port: 8084, nodes: [2, 1],
                route: "/api/v1/payments/#/charge", calls: [7, 11, 10]),
        Service(name: "inventory", program: "python", kind: .web, port: 8085, nodes: [0, 2],
                route: "/api/v1/stock/items/#", calls: [9, 12]),
        Service(name: "shipping", program: "shipping", kind: .web, port: 8086, nodes: [1, 0],
                route: "/api/v1/parcels/#/label", calls: [8, 10]),
        Service(name: "notify", program: "python", kind: .web, port: 8087, nodes: [2, 0],
                route: "/api/v1/messages/#/send", calls: [9, 12]),
        Service(name: "redis", program: "redis-server", kind: .redis, port: 6379, nodes: [1]),
        Service(name: "mysql", program: "mysqld", kind: .mysql, port: 3306, nodes: [2]),
        Service(name: "redis-cache", program: "", kind: .redisElsewhere, port: 6379, nodes: [0]),
        Service(name: "mysql-archive", program: "", kind: .mysqlElsewhere, port: 3306, nodes: [0]),
    ]
}

/// One running replica of a service.
struct Pod {
    var service: Int
    var node: Int
    var address: String
    var processID: Int

    /// Every replica of every service, in the order of the services.
    static func all() -> [Pod] {
        var pods: [Pod] = []
        for (index, service) in Topology.services.enumerated() {
            for node in service.nodes {
                let address = "10.244.\(node + 1).\(pods.count + 20)"
                pods.append(Pod(service: index, node: node, address: address, processID: 12_000 + pods.count * 3_000))
            }
        }
        return pods
    }
}

import Linking

/// What a span's request spoke, as its fields tell.
enum OTLPProtocol {
    case other, http, grpc, postgresql, mysql, redis, amqp

    /// By the fields that only one decoder of the agents writes, else by `operation`.
    @inline(__always) init(_ point: borrowing OTLPPoint) {
        if point.has(.grpcStatus) {
            self = .grpc
        } else if point.has(.httpMethod) || point.has(.httpStatus) {
            self = .http
        } else if point.has(.pgsqlStatus) || point.has(.pgsqlMessage) {
            self = .postgresql
        } else if point.has(.mysqlComment) {
            self = .mysql
        } else if point.has(.amqpClass) {
            self = .amqp
        } else {
            self = Self.named(point)
        }
    }

    private static func named(_ point: borrowing OTLPPoint) -> OTLPProtocol {
        if point.begins(.operation, "Redis") { return .redis }
        if point.begins(.operation, "HTTP") { return .http }
        if point.begins(.operation, "gRPC") { return .grpc }
        if point.begins(.operation, "PostgreSQL") { return .postgresql }
        if point.begins(.operation, "MySQL") { return .mysql }
        if point.begins(.operation, "AMQP") { return .amqp }
        return .other
    }
}

/// Whether a request failed, and which field says why.
struct OTLPFailure {
    var isError = false
    var message: OTLPField?
}

/// Names of gRPC's status codes.
enum OTLPStatusName {
    /// "UNKNOWN" for a number that gRPC does not know.
    static func grpc(_ code: UInt64) -> StaticString {
        switch code {
        case 0: "OK"
        case 1: "CANCELLED"
        case 3: "INVALID_ARGUMENT"
        case 4: "DEADLINE_EXCEEDED"
        case 5: "NOT_FOUND"
        case 6: "ALREADY_EXISTS"
        case 7: "PERMISSION_DENIED"
        case 8: "RESOURCE_EXHAUSTED"
        case 9: "FAILED_PRECONDITION"
        case 10: "ABORTED"
        case 11: "OUT_OF_RANGE"
        case 12: "UNIMPLEMENTED"
        case 13: "INTERNAL"
        case 14: "UNAVAILABLE"
        case 15: "DATA_LOSS"
        case 16: "UNAUTHENTICATED"
        default: "UNKNOWN"
        }
    }

    /// Codes that are the server's own fault: UNKNOWN, DEADLINE_EXCEEDED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE,
    /// DATA_LOSS, and what gRPC does not know.
    static func isServerError(_ code: UInt64) -> Bool {
        code > 16 || [2, 4, 12, 13, 14, 15].contains(code)
    }
}

/// How AMQP's methods read as messaging operations.
enum OTLPMessaging {
    /// `messaging.operation.name` of a method that moves or settles messages; nil for others.
    static func operation(_ point: borrowing OTLPPoint) -> StaticString? {
        if point.isText(.resource, "Publish") { return "publish" }
        if point.isText(.resource, "Deliver") { return "deliver" }
        if point.isText(.resource, "Return") { return "return" }
        if point.isText(.resource, "Get") { return "get" }
        if point.isText(.resource, "Consume") { return "consume" }
        if point.isText(.resource, "ACK") || point.isText(.resource, "Ack") { return "ack" }
        if point.isText(.resource, "Reject") { return "reject" }
        if point.isText(.resource, "Nack") { return "nack" }
        return nil
    }

    /// True for the methods that carry a message from one side to the other.
    private static func carriesMessage(_ point: borrowing OTLPPoint) -> Bool {
        point.isText(.resource, "Publish") || point.isText(.resource, "Deliver") || point.isText(.resource, "Return")
    }

    /// PRODUCER and CONSUMER where a message goes over, else as any call.
    static func kind(_ point: borrowing OTLPPoint, _ side: OTLPEncoder.Kind) -> OTLPEncoder.Kind {
        guard carriesMessage(point) else { return side }
        return side == .server ? .consumer : .producer
    }

    /// `messaging.operation.type`
    static func type(_ point: borrowing OTLPPoint, _ kind: OTLPEncoder.Kind) -> StaticString? {
        if kind == .producer { return "send" }
        if kind == .consumer || point.isText(.resource, "Get") { return "receive" }
        let settles = ["ACK", "Ack", "Reject", "Nack"] as [StaticString]
        for method in settles where point.isText(.resource, method) { return "settle" }
        return nil
    }
}

import Linking

/// Name and attributes of a call by its protocol; see docs/otlp.md for the whole mapping.
extension OTLPEncoder {
    /// `Span.name`: `GET /home`, `SELECT`, `pkg.Service/Method`, `publish exchange:key`, else what the agent says.
    @inline(__always) mutating func writeName(_ call: OTLPProtocol) {
        switch call {
        case .http, .other: writeResourceName()
        case .grpc: if !writeRange(methodRange) { writeResourceName() }
        case .postgresql: if !writeRange(sqlOperation) { writeSystemName("postgresql") }
        case .mysql: if !writeRange(sqlOperation) { writeSystemName("mysql") }
        case .redis: if !writeRange(redisOperation) { writeSystemName("redis") }
        case .amqp: writeMessagingName()
        }
    }

    private mutating func writeResourceName() {
        if let value = point.text(.resource) ?? point.text(.operation) ?? point.text(.httpMethod) {
            return writeName(point.base + value.start, value.length)
        }
        writeSystemName("request")
    }

    private mutating func writeSystemName(_ name: StaticString) {
        writeName(UnsafeRawPointer(name.utf8Start), name.utf8CodeUnitCount)
    }

    private mutating func writeRange(_ range: Range<Int>) -> Bool {
        guard !range.isEmpty else { return false }
        writeName(point.base + range.lowerBound, range.count)
        return true
    }

    /// Writes the attributes of the call; whether it failed.
    @inline(__always) mutating func writeCall(_ call: OTLPProtocol, _ kind: Kind) -> OTLPFailure {
        switch call {
        case .http: writeHTTP(kind)
        case .grpc: writeGRPC(kind)
        case .postgresql: writePostgreSQL()
        case .mysql: writeMySQL()
        case .redis: writeRedis()
        case .amqp: writeMessaging(kind)
        case .other: plainFailure()
        }
    }

    private var isStatusError: Bool { point.isText(.status, "error") }

    /// A failure of which nothing but `status` is known.
    private mutating func plainFailure(message: OTLPField? = .errorMessage) -> OTLPFailure {
        guard isStatusError else { return OTLPFailure() }
        writer.attribute("error.type", "_OTHER")
        return OTLPFailure(isError: true, message: message)
    }

    private mutating func writeRange(_ key: StaticString, _ range: Range<Int>) {
        if !range.isEmpty { writer.attribute(key, point.base + range.lowerBound, range.count) }
    }

    // MARK: HTTP and gRPC

    @inline(__always) private mutating func writeHTTP(_ kind: Kind) -> OTLPFailure {
        writeText("http.request.method", .httpMethod)
        if let route = point.text(.httpRoute) {
            let end = route.start &+ route.length
            let question = place(of: UInt8(ascii: "?"), route.start..<end)
            writeRange("url.path", route.start..<question)
            if question < end { writeRange("url.query", (question &+ 1)..<end) }
        }
        writeText("network.protocol.version", .httpVersion)
        let code = point.integer(.httpStatus) ?? 0
        let isKnown = code >= 100 && code < 1000
        if isKnown { writer.attribute("http.response.status_code", Int64(code)) }
        let isBad = isKnown && (code >= 500 || code >= 400 && !kind.isEntry)
        guard isBad || isStatusError else { return OTLPFailure() }
        if isKnown, code >= 400 {
            writer.attribute("error.type", IDText.decimal(code))
        } else {
            writer.attribute("error.type", "_OTHER")
        }
        return OTLPFailure(isError: true)
    }

    private mutating func writeGRPC(_ kind: Kind) -> OTLPFailure {
        writer.attribute("rpc.system.name", "grpc")
        writeRange("rpc.method", methodRange)
        guard let code = point.integer(.grpcStatus) else { return plainFailure() }
        let name = OTLPStatusName.grpc(code)
        writer.attribute("rpc.response.status_code", name)
        let isBad = kind.isEntry ? OTLPStatusName.isServerError(code) : code != 0
        guard isBad || isStatusError else { return OTLPFailure() }
        if code == 0 {
            writer.attribute("error.type", "_OTHER")
        } else {
            writer.attribute("error.type", name)
        }
        return OTLPFailure(isError: true)
    }

    /// `pkg.Service/Method` out of the path of the request.
    private var methodRange: Range<Int> {
        guard let route = point.text(.httpRoute) else { return 0..<0 }
        let end = place(of: UInt8(ascii: "?"), route.start..<(route.start &+ route.length))
        let isAbsolute = point.base.load(fromByteOffset: route.start, as: UInt8.self) == UInt8(ascii: "/")
        let start = min(end, isAbsolute ? route.start &+ 1 : route.start)
        return start..<end
    }

    /// Where a byte first stands, or the end.
    @inline(__always) private func place(of byte: UInt8, _ range: Range<Int>) -> Int {
        var at = range.lowerBound
        while at < range.upperBound, point.base.load(fromByteOffset: at, as: UInt8.self) != byte { at &+= 1 }
        return at
    }

    // MARK: Databases

    private mutating func writePostgreSQL() -> OTLPFailure {
        writer.attribute("db.system.name", "postgresql")
        writeRange("db.operation.name", sqlOperation)
        writeText("db.query.text", .resource)
        let message: OTLPField = point.text(.pgsqlMessage) == nil ? .pgsqlErrorMessage : .pgsqlMessage
        guard let code = point.text(.pgsqlStatus), !point.isText(.pgsqlStatus, "00000") else {
            return plainFailure(message: message)
        }
        writer.attribute("db.response.status_code", point.base + code.start, code.length)
        // Classes 00, 01 and 02 of SQLSTATE are success, warning and "no data".
        let isFine = point.begins(.pgsqlStatus, "00") || point.begins(.pgsqlStatus, "01")
            || point.begins(.pgsqlStatus, "02")
        guard isStatusError || !isFine else { return OTLPFailure() }
        writer.attribute("error.type", point.base + code.start, code.length)
        return OTLPFailure(isError: true, message: message)
    }

    private mutating func writeMySQL() -> OTLPFailure {
        writer.attribute("db.system.name", "mysql")
        writeRange("db.operation.name", sqlOperation)
        writeText("db.query.text", .resource)
        guard let code = point.integer(.errorCode), code != 0 else { return plainFailure() }
        writeNumberAsText("db.response.status_code", .errorCode)
        writeNumberAsText("error.type", .errorCode)
        return OTLPFailure(isError: true, message: .errorMessage)
    }

    private mutating func writeRedis() -> OTLPFailure {
        writer.attribute("db.system.name", "redis")
        writeRange("db.operation.name", redisOperation)
        writeText("db.query.text", .resource)
        let prefix = redisErrorPrefix
        guard isStatusError || !prefix.isEmpty else { return OTLPFailure() }
        guard !prefix.isEmpty else { return plainFailure() }
        writeRange("db.response.status_code", prefix)
        writeRange("error.type", prefix)
        return OTLPFailure(isError: true, message: .errorMessage)
    }

    /// The first word of the statement; the agent's own word where it begins with none.
    private var sqlOperation: Range<Int> {
        if let statement = point.text(.resource) {
            let word = firstWord(statement.start..<(statement.start &+ statement.length))
            if !word.isEmpty { return word }
        }
        guard let type = point.text(.resourceType) else { return 0..<0 }
        return type.start..<(type.start &+ type.length)
    }

    /// The command of `Redis GET`, else the first word of the statement.
    private var redisOperation: Range<Int> {
        if point.begins(.operation, "Redis "), let value = point.text(.operation) {
            let word = firstWord((value.start &+ 6)..<(value.start &+ value.length))
            if !word.isEmpty { return word }
        }
        return sqlOperation
    }

    /// Letters, digits, dots and underlines up to anything else, at most 32.
    private func firstWord(_ range: Range<Int>) -> Range<Int> {
        var at = range.lowerBound
        let end = min(range.upperBound, range.lowerBound &+ 32)
        while at < end, Self.isWordByte(point.base.load(fromByteOffset: at, as: UInt8.self)) { at &+= 1 }
        return range.lowerBound..<at
    }

    @inline(__always) private static func isWordByte(_ byte: UInt8) -> Bool {
        (byte | 0x20) &- UInt8(ascii: "a") < 26 || byte &- UInt8(ascii: "0") < 10 || byte == UInt8(ascii: "_")
            || byte == UInt8(ascii: ".")
    }

    /// `ERR` of `-ERR unknown command`.
    private var redisErrorPrefix: Range<Int> {
        guard let value = point.text(.errorMessage),
            point.base.load(fromByteOffset: value.start, as: UInt8.self) == UInt8(ascii: "-")
        else { return 0..<0 }
        return firstWord((value.start &+ 1)..<(value.start &+ value.length))
    }

    // MARK: Messaging

    private mutating func writeMessaging(_ kind: Kind) -> OTLPFailure {
        writer.attribute("messaging.system", "rabbitmq")
        if let operation = OTLPMessaging.operation(point) {
            writer.attribute("messaging.operation.name", operation)
        } else {
            writeText("messaging.operation.name", .resource)
        }
        if let type = OTLPMessaging.type(point, kind) { writer.attribute("messaging.operation.type", type) }
        withDestination(before: "") { encoder, start, length in
            if length > 0 { encoder.writer.attribute("messaging.destination.name", start, length) }
        }
        writeText("messaging.rabbitmq.destination.routing_key", .amqpRoutingKey)
        return plainFailure()
    }

    private mutating func writeMessagingName() {
        guard let operation = OTLPMessaging.operation(point) else { return writeResourceName() }
        withDestination(before: operation) { encoder, start, length in encoder.writeName(start, length) }
    }

    /// `exchange:routing key` as one text, parts that are empty left out; the queue where there is neither.
    private mutating func withDestination(
        before first: StaticString, _ body: (inout OTLPEncoder, UnsafeRawPointer, Int) -> Void
    ) {
        let none = OTLPPoint.Value(bits: 0, length: 0, kind: 0)
        let queue = point.text(.amqpQueue) ?? none
        let exchange = point.text(.amqpExchange) ?? none
        let routing = point.text(.amqpRoutingKey) ?? (exchange.length > 0 ? none : queue)
        let room = first.utf8CodeUnitCount + exchange.length + routing.length + 2
        withUnsafeTemporaryAllocation(byteCount: room, alignment: 1) { buffer in
            guard let start = buffer.baseAddress else { return }
            var text = ByteWriter(base: start, capacity: buffer.count)
            text.expectRoom(room)
            text.write(first)
            if exchange.length + routing.length > 0, text.count > 0 { text.write(UInt8(ascii: " ")) }
            text.write(point.base + exchange.start, exchange.length)
            if exchange.length > 0, routing.length > 0 { text.write(UInt8(ascii: ":")) }
            text.write(point.base + routing.start, routing.length)
            body(&self, UnsafeRawPointer(start), text.count)
        }
    }
}

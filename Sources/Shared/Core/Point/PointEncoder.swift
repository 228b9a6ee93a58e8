/// The value of a field, on its way from text to the wire.
enum PointValue: Hashable, Sendable {
    case signed(Int64)
    case unsigned(UInt64)
    case double(Double)
    case bool(Bool)
    case bytes([UInt8])
    case text([UInt8])
}

/// Writes `PBPoints` point by point; a point that turns out bad is abandoned without a trace.
struct PointEncoder {
    /// The finished points.
    private(set) var bytes: [UInt8] = []
    /// How many points are finished.
    private(set) var points = 0
    private var point: [UInt8] = []
    private var field: [UInt8] = []

    /// Starts a point; one that was not finished is abandoned.
    mutating func begin(name: [UInt8]) {
        point.removeAll(keepingCapacity: true)
        Self.append(Wire.name, name, to: &point)
    }

    /// Adds one field; `metricType` 0 and an empty `unit` are not written, as in proto3.
    mutating func append(
        key: [UInt8], value: PointValue, isTag: Bool = false, metricType: UInt64 = 0, unit: [UInt8] = []
    ) {
        field.removeAll(keepingCapacity: true)
        Self.append(Wire.key, key, to: &field)
        appendValue(value)
        if isTag { field += [Wire.isTag, 1] }
        if metricType != 0 {
            field.append(Wire.metricType)
            Wire.appendVarint(metricType, to: &field)
        }
        if !unit.isEmpty { Self.append(Wire.unit, unit, to: &field) }
        Self.append(Wire.field, field, to: &point)
    }

    /// Finishes the point with its time, nanoseconds since 1970.
    mutating func end(time: Int64) {
        if time != 0 {
            point.append(Wire.time)
            Wire.appendVarint(UInt64(bitPattern: time), to: &point)
        }
        Self.append(Wire.point, point, to: &bytes)
        points += 1
    }

    private mutating func appendValue(_ value: PointValue) {
        switch value {
        case .signed(let number):
            field.append(FieldKind.signed.rawValue)
            Wire.appendVarint(UInt64(bitPattern: number), to: &field)
        case .unsigned(let number):
            field.append(FieldKind.unsigned.rawValue)
            Wire.appendVarint(number, to: &field)
        case .double(let number):
            field.append(FieldKind.double.rawValue)
            withUnsafeBytes(of: number.bitPattern.littleEndian) { field.append(contentsOf: $0) }
        case .bool(let truth):
            field += [FieldKind.bool.rawValue, truth ? 1 : 0]
        case .bytes(let bytes):
            Self.append(FieldKind.bytes.rawValue, bytes, to: &field)
        case .text(let bytes):
            Self.append(FieldKind.text.rawValue, bytes, to: &field)
        }
    }

    private static func append(_ tag: UInt8, _ value: [UInt8], to bytes: inout [UInt8]) {
        bytes.append(tag)
        Wire.appendVarint(UInt64(value.count), to: &bytes)
        bytes.append(contentsOf: value)
    }
}

/// What became of a body that was turned into `PBPoints`.
struct Transcoded {
    var bytes: [UInt8]
    /// Lines or elements that are no point.
    var malformed: Int
    /// Points and malformed ones together reached `Limits.pointsPerBody`; the rest was not read.
    var isOverLimit = false
}

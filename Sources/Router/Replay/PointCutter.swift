import Linking
import Shared

/// Finds the borders of points in a stream of bytes, without decoding them.
///
/// ```
/// protobuf       0A len point │ 0A len point │ …          the field with its tag and length
/// line protocol  measurement,tags fields time ⏎ …         without the line end; blank lines and # comments skipped
/// JSON           {…} ⏎ {…}   or   [ {…}, {…} ]            one object; what stands between objects is skipped
/// ```
///
/// The cutter looks at a window of bytes that starts at the first byte it has not consumed. When the window ends
/// inside a point it answers `needMore`, keeps its place, and goes on there when the window has grown, so that each
/// byte is looked at once. No recursion: nesting is a counter.
struct PointCutter {
    /// What the cutter found at the start of its window.
    enum Cut: Equatable {
        /// A point lies at `range` of the window; `consumed` bytes are done with.
        case point(range: Range<Int>, consumed: Int)
        /// `consumed` bytes are done with; the rest is the start of a point.
        case needMore(consumed: Int)
    }

    let form: ReplayForm.Points
    /// Line of the last point that was cut (its first line), from 1; stays 1 for protobuf.
    private(set) var pointLine = 1
    /// Largest point, bytes.
    let largestPoint: Int

    /// Line of the next byte to look at.
    private var line = 1
    /// Place in the window where looking goes on.
    private var place = 0
    private var text = LineState.start
    /// The last byte of a line was a backslash that takes the next byte's meaning away.
    private var escaped = false
    private var json = JSONState()

    init(form: ReplayForm.Points, largestPoint: Int) {
        self.form = form
        self.largestPoint = largestPoint
    }

    /// A sentence part about why the bytes make no points.
    struct Complaint: Error, Equatable { var reason: String }

    /// Cuts the next point.
    /// - Parameters:
    ///   - window: the bytes from the first unconsumed one.
    ///   - isLast: true when no byte follows the window.
    /// - Throws: `Complaint` when the bytes cannot be points of this form.
    /// - Complexity: over a whole stream, linear in its bytes.
    mutating func next(in window: UnsafeRawBufferPointer, isLast: Bool) throws(Complaint) -> Cut {
        let cut =
            switch form {
            case .protobuf: try nextMessage(window, isLast)
            case .lineProtocol: nextLine(window, isLast)
            case .json: try nextObject(window, isLast)
            }
        switch cut {
        case .point(let range, _):
            place = 0
            if range.count > largestPoint { throw tooLarge }
        case .needMore(let consumed):
            place = max(0, place - consumed)
            if window.count - consumed > largestPoint { throw tooLarge }
        }
        return cut
    }

    private var tooLarge: Complaint {
        Complaint(reason: "a point is larger than \(largestPoint) bytes, or its end is missing")
    }
}

// MARK: - Protobuf

extension PointCutter {
    private func nextMessage(_ window: UnsafeRawBufferPointer, _ isLast: Bool) throws(Complaint) -> Cut {
        guard let tag = window.first else { return .needMore(consumed: 0) }
        // Field 1, length-delimited: the only field PBPoints has.
        guard tag == 0x0A else { throw Complaint(reason: "byte \(tag) does not start a point of PBPoints") }
        var length: UInt64 = 0
        var index = 1
        while index < window.count {
            let byte = window[index]
            let shift = UInt64(index - 1) * 7
            if shift > 28 { throw Complaint(reason: "the length of a point is not a number") }
            length |= UInt64(byte & 0x7F) << shift
            index += 1
            if byte < 0x80 {
                if length > UInt64(largestPoint) { throw tooLarge }
                let end = index + Int(length)
                if end <= window.count { return .point(range: 0..<end, consumed: end) }
                break
            }
        }
        if isLast { throw Complaint(reason: "the data ends inside a point") }
        return .needMore(consumed: 0)
    }
}

// MARK: - Line protocol

extension PointCutter {
    /// Where in a line the cutter is. Quotes have a meaning only where a field's value starts, backslashes everywhere.
    private enum LineState {
        case start, comment, series, fields, value, string
    }

    private mutating func nextLine(_ window: UnsafeRawBufferPointer, _ isLast: Bool) -> Cut {
        var consumed = 0
        while true {
            if !escaped, text == .series || text == .fields || text == .string { place = Self.plain(window, place) }
            guard place < window.count else { break }
            let byte = window[place]
            place += 1
            if escaped {
                // In names only `,`, `=` and blanks are escaped: of two backslashes the second still escapes.
                escaped = byte == UInt8(ascii: "\\") && text != .string
                if byte != UInt8(ascii: "\n") { continue }
            }
            if byte == UInt8(ascii: "\n") { line += 1 }
            switch (text, byte) {
            case (.start, UInt8(ascii: "\n")), (.start, UInt8(ascii: "\r")), (.start, UInt8(ascii: " ")),
                (.start, UInt8(ascii: "\t")), (.comment, _):
                consumed = place
                if byte == UInt8(ascii: "\n") { text = .start }
            case (.start, UInt8(ascii: "#")): text = .comment
            case (.start, _):
                pointLine = line
                escaped = byte == UInt8(ascii: "\\")
                text = .series
            case (.string, UInt8(ascii: "\n")): break
            case (_, UInt8(ascii: "\n")):
                text = .start
                return .point(range: trimmed(window, consumed..<(place - 1)), consumed: place)
            default: step(byte)
            }
        }
        return lineEnd(window, consumed, isLast)
    }

    /// The first byte from `start` on that may change where in a line the cutter is; most bytes cannot.
    private static func plain(_ window: UnsafeRawBufferPointer, _ start: Int) -> Int {
        var index = start
        while index < window.count {
            switch window[index] {
            case UInt8(ascii: "\n"), UInt8(ascii: "\\"), UInt8(ascii: "\""), UInt8(ascii: "="), UInt8(ascii: " "):
                return index
            default: index += 1
            }
        }
        return index
    }

    /// A byte inside a line.
    private mutating func step(_ byte: UInt8) {
        switch (text, byte) {
        case (_, UInt8(ascii: "\\")):
            escaped = true
            if text == .value { text = .fields }
        case (.string, UInt8(ascii: "\"")): text = .fields
        case (.series, UInt8(ascii: " ")): text = .fields
        case (.fields, UInt8(ascii: "=")): text = .value
        case (.value, UInt8(ascii: "\"")): text = .string
        case (.value, _): text = .fields
        default: break
        }
    }

    /// At the end of the window: the end of the stream ends a line, too.
    private mutating func lineEnd(_ window: UnsafeRawBufferPointer, _ consumed: Int, _ isLast: Bool) -> Cut {
        guard isLast, text != .start, text != .comment else { return .needMore(consumed: consumed) }
        text = .start
        escaped = false
        return .point(range: trimmed(window, consumed..<window.count), consumed: window.count)
    }

    private func trimmed(_ window: UnsafeRawBufferPointer, _ range: Range<Int>) -> Range<Int> {
        var end = range.upperBound
        while end > range.lowerBound, window[end - 1] == UInt8(ascii: "\r") { end -= 1 }
        return range.lowerBound..<end
    }
}

// MARK: - JSON

extension PointCutter {
    private struct JSONState {
        var inArray = false
        /// Open braces and brackets of the object being looked at; 0: between objects.
        var depth = 0
        var inString = false
        var escaped = false
    }

    private mutating func nextObject(_ window: UnsafeRawBufferPointer, _ isLast: Bool) throws(Complaint) -> Cut {
        var start = 0
        while true {
            if json.inString, !json.escaped { place = Self.plainText(window, place) }
            guard place < window.count else { break }
            let byte = window[place]
            place += 1
            if byte == UInt8(ascii: "\n") { line += 1 }
            if json.depth == 0 {
                if try step(between: byte) { pointLine = line } else { start = place }
            } else if step(inside: byte) {
                return .point(range: start..<place, consumed: place)
            }
        }
        if isLast, json.depth > 0 || json.inArray { throw Complaint(reason: "the data ends inside a JSON value") }
        return .needMore(consumed: json.depth == 0 ? window.count : start)
    }

    /// The first byte from `start` on that may mean something inside a string.
    private static func plainText(_ window: UnsafeRawBufferPointer, _ start: Int) -> Int {
        var index = start
        while index < window.count, window[index] != UInt8(ascii: "\""), window[index] != UInt8(ascii: "\\"),
            window[index] != UInt8(ascii: "\n")
        {
            index += 1
        }
        return index
    }

    /// A byte between objects; true when it opens one.
    private mutating func step(between byte: UInt8) throws(Complaint) -> Bool {
        switch byte {
        case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"), UInt8(ascii: "\n"): return false
        case UInt8(ascii: "{"):
            json.depth = 1
            return true
        case UInt8(ascii: "[") where !json.inArray: json.inArray = true
        case UInt8(ascii: "]") where json.inArray: json.inArray = false
        case UInt8(ascii: ",") where json.inArray: break
        default: throw Complaint(reason: "byte \(byte) stands where a JSON object should start")
        }
        return false
    }

    /// A byte inside an object; true when it closes it.
    private mutating func step(inside byte: UInt8) -> Bool {
        if json.inString {
            if json.escaped {
                json.escaped = false
            } else if byte == UInt8(ascii: "\\") {
                json.escaped = true
            } else if byte == UInt8(ascii: "\"") {
                json.inString = false
            }
            return false
        }
        switch byte {
        case UInt8(ascii: "\""): json.inString = true
        case UInt8(ascii: "{"), UInt8(ascii: "["): json.depth += 1
        case UInt8(ascii: "}"), UInt8(ascii: "]"): json.depth -= 1
        default: break
        }
        return json.depth == 0
    }
}

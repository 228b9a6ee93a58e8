import Linking

/// The file names of one part: `.part-W-N.open` while it is written, `part-W-N.jsonl` once it is complete.
struct PartName: Equatable, Sendable {
    var worker: UInt16
    var part: UInt64

    private var stem: String {
        func digits(_ number: UInt64, _ width: Int) -> String {
            let text = String(number)
            return String(repeating: "0", count: max(0, width - text.count)) + text
        }
        return "part-" + digits(UInt64(worker), 5) + "-" + digits(part, 10)
    }

    var open: String { "." + stem + ".open" }
    var complete: String { stem + ".jsonl" }

    init(worker: UInt16, part: UInt64) {
        self.worker = worker
        self.part = part
    }

    /// Nil for every other name.
    init?(_ text: String) {
        let isOpen = text.hasPrefix(".")
        let pieces = text.drop { $0 == "." }.split(separator: "-", omittingEmptySubsequences: false)
        guard pieces.count == 3, pieces[0] == "part", let worker = UInt16(pieces[1]) else { return nil }
        let last = pieces[2].split(separator: ".", omittingEmptySubsequences: false)
        guard last.count == 2, let part = UInt64(last[0]) else { return nil }
        self.init(worker: worker, part: part)
        guard text == (isOpen ? open : complete) else { return nil }
        isIncomplete = isOpen
    }

    private var isIncomplete = false

    /// Whether this names a part that the worker has not completed.
    func isOpen(by worker: WorkerOrdinal) -> Bool { isIncomplete && self.worker == worker.number }
}

/// The name of a part whose lines are being appended to an hour file: `.part-W-N.jsonl@HOUR@LENGTH.joining`.
struct JoiningName: Equatable, Sendable {
    var part: PartName
    var hour: String
    /// Length of the hour file before the lines were appended, bytes.
    var length: UInt64

    var text: String { ".\(part.complete)@\(hour)@\(length).joining" }

    init(part: PartName, hour: String, length: UInt64) {
        self.part = part
        self.hour = hour
        self.length = length
    }

    /// Nil for every other name.
    init?(_ text: String) {
        guard text.hasPrefix("."), text.hasSuffix(".joining") else { return nil }
        let pieces = text.dropFirst().dropLast(".joining".count).split(separator: "@")
        guard pieces.count == 3, let part = PartName(String(pieces[0])), let length = UInt64(pieces[2]) else {
            return nil
        }
        self.init(part: part, hour: String(pieces[1]), length: length)
        guard text == self.text else { return nil }
    }
}

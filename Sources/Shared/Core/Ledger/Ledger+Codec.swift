import Linking

// A snapshot of the ledger. All numbers are little-endian.
//
//    1   version (1)
//    2   count of targets, then for each: 2 length, UTF-8 text        (index 1, 2, …)
//    2   count of reasons, then for each: 2 length, UTF-8 text        (index 1, 2, …)
//    8   violations counted
//        the folded account
//    4   count of open slices, then for each, ascending: 8 epoch, 2 partition, its account
//
//   account    8 accepted, 4 count of entries, then for each: 2 target, 2 reason, 8 count

extension Ledger {
    /// The snapshot's bytes: the whole ledger. O(open slices).
    public func encode() -> [UInt8] {
        var bytes: [UInt8] = [1]
        for names in [targetNames, reasonNames] {
            bytes.put(UInt16(names.count - 1))
            for name in names.dropFirst() {
                let text = Array(name.utf8.prefix(Int(UInt16.max)))
                bytes.put(UInt16(text.count))
                bytes += text
            }
        }
        bytes.put(violationCount)
        Self.encode(folded, into: &bytes)
        bytes.put(UInt32(open.count))
        for slice in open.keys.sorted() {
            bytes.put(slice.epoch.number)
            bytes.put(slice.partition.number)
            Self.encode(open[slice] ?? Account(), into: &bytes)
        }
        return bytes
    }

    private static func encode(_ account: Account, into bytes: inout [UInt8]) {
        bytes.put(account.accepted)
        bytes.put(UInt32(account.resolved.count))
        for entry in account.resolved {
            bytes.put(entry.column.target.number)
            bytes.put(entry.column.reason.number)
            bytes.put(entry.count)
        }
    }

    /// The ledger of a snapshot. Fails with `.corrupt` when the bytes are none. O(bytes).
    public static func decode(_ bytes: [UInt8]) throws(Failure) -> Ledger {
        var cursor = Cursor(rest: bytes[...])
        var ledger = Ledger()
        guard try cursor.take(UInt8.self) == 1 else { throw Cursor.damaged }
        ledger.targetNames += try cursor.names()
        ledger.reasonNames += try cursor.names()
        ledger.violationCount = try cursor.take()
        ledger.folded = try cursor.account(ledger)
        for _ in 0..<(try cursor.take(UInt32.self)) {
            let epoch = Epoch(try cursor.take())
            let slice = Slice(PartitionID(try cursor.take()), epoch)
            let account = try cursor.account(ledger)
            guard ledger.open.updateValue(account, forKey: slice) == nil else { throw Cursor.damaged }
        }
        guard cursor.rest.isEmpty else { throw Cursor.damaged }
        return ledger
    }

    /// Takes numbers off the front of the bytes.
    private struct Cursor {
        var rest: ArraySlice<UInt8>

        static var damaged: Failure {
            Failure(.corrupt, "a snapshot of the ledger is damaged; the one before it is taken")
        }

        mutating func take<Number: FixedWidthInteger>(_: Number.Type = Number.self) throws(Failure) -> Number {
            let size = Number.bitWidth / 8
            guard rest.count >= size else { throw Self.damaged }
            var number: Number = 0
            for byte in rest.prefix(size).reversed() { number = number << 8 | Number(truncatingIfNeeded: byte) }
            rest.removeFirst(size)
            return number
        }

        mutating func names() throws(Failure) -> [String] {
            var names: [String] = []
            for _ in 0..<(try take(UInt16.self)) {
                let length = Int(try take(UInt16.self))
                guard length > 0, rest.count >= length else { throw Self.damaged }
                names.append(String(decoding: rest.prefix(length), as: UTF8.self))
                rest.removeFirst(length)
            }
            return names
        }

        mutating func account(_ ledger: Ledger) throws(Failure) -> Account {
            var account = Account()
            account.accepted = try take()
            var columns: Set<Column> = []
            for _ in 0..<(try take(UInt32.self)) {
                let column = Column(target: Name(number: try take()), reason: Name(number: try take()))
                guard Int(column.target.number) < ledger.targetNames.count,
                    Int(column.reason.number) < ledger.reasonNames.count, columns.insert(column).inserted
                else { throw Self.damaged }
                account.resolved.append((column, try take()))
            }
            return account
        }
    }
}

extension [UInt8] {
    fileprivate mutating func put<Number: FixedWidthInteger>(_ number: Number) {
        var rest = number
        for _ in 0..<Number.bitWidth / 8 {
            append(UInt8(truncatingIfNeeded: rest))
            rest = Number.bitWidth > 8 ? rest >> 8 : 0
        }
    }
}

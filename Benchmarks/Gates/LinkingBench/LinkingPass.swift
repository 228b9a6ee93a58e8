import Linking

#if canImport(Glibc)
import Glibc
#endif

/// CPU nanoseconds of one pass over a load, by stage, and what it made.
struct LinkingPass {
    var encode = 0
    var insert = 0
    var close = 0
    var verdicts = 0
    var graphBytes = 0
    var openSpans = 0
    var recordBytes = 0
    var kept: UInt64 = 0
    var dropped: UInt64 = 0
    /// Spans that got a verdict.
    var rows = 0
    var violations: UInt64 = 0

    var nanoseconds: Int { encode + insert + close + verdicts }

    /// Links the whole load at sampling 0.1.
    static func run(_ load: LinkingLoad, closesByTime: Bool) -> LinkingPass {
        var pass = LinkingPass()
        var options = LinkingOptions()
        options.closesByTime = closesByTime
        let limits = Limits()
        var merge = GraphMerge(options: options, limits: limits)
        for (number, workers) in load.epochs.enumerated() {
            let epoch = Epoch(UInt64(number + 1))
            for (worker, rows) in workers.enumerated() {
                for graph in pass.graphs(rows, worker: worker, epoch: epoch, limits: limits) {
                    pass.insert(graph, into: &merge)
                }
            }
            pass.openSpans = max(pass.openSpans, merge.openSpans)
            pass.recordBytes = max(pass.recordBytes, merge.recordBytes)
            pass.close(&merge, at: epoch, limits: limits)
        }
        pass.flush(&merge, limits: limits)
        pass.kept = merge.statistics.tracesKept
        pass.dropped = merge.statistics.tracesDropped
        pass.violations = merge.statistics.violations.values.reduce(0, +)
        return pass
    }

    private mutating func graphs(_ rows: [LinkingLoad.Row], worker: Int, epoch: Epoch, limits: Limits) -> [[UInt8]] {
        let begin = processNanoseconds()
        var graphs: [[UInt8]] = []
        var first = 0
        while first < rows.count {
            let end = min(first + limits.spansPerPartialGraph, rows.count)
            var encoder = PartialGraphEncoder()
            for row in first..<end { encoder.append(rows[row].facts, at: rows[row].address) }
            let share = LinkingLoad.partitionCount / LinkingLoad.workerCount
            graphs.append(encoder.finish(PartialGraphHeader(
                firstPartition: UInt16(worker * share), endPartition: UInt16((worker + 1) * share), epoch: epoch,
                piece: UInt32(graphs.count), isLastPiece: end == rows.count)))
            first = end
        }
        encode += processNanoseconds() - begin
        graphBytes += graphs.reduce(0) { $0 + $1.count }
        return graphs
    }

    private mutating func insert(_ graph: [UInt8], into merge: inout GraphMerge) {
        let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: max(1, graph.count), alignment: 16)
        defer { bytes.deallocate() }
        bytes.copyBytes(from: graph)
        let begin = processNanoseconds()
        do throws(CodecError) {
            guard case .inserted = try merge.insert(UnsafeRawBufferPointer(bytes)) else {
                LinkingBench.fail("a partial graph was refused", code: 70)
            }
        } catch {
            LinkingBench.fail("a partial graph cannot be read: \(error)", code: 70)
        }
        insert += processNanoseconds() - begin
    }

    private mutating func close(_ merge: inout GraphMerge, at epoch: Epoch, limits: Limits) {
        var builder = VerdictBuilder()
        let begin = processNanoseconds()
        merge.advance(to: epoch, into: &builder)
        close += processNanoseconds() - begin
        finish(&builder, epoch, limits)
    }

    private mutating func flush(_ merge: inout GraphMerge, limits: Limits) {
        var builder = VerdictBuilder()
        let begin = processNanoseconds()
        merge.flush(into: &builder)
        close += processNanoseconds() - begin
        finish(&builder, merge.watermark, limits)
    }

    private mutating func finish(_ builder: inout VerdictBuilder, _ epoch: Epoch, _ limits: Limits) {
        guard !builder.isEmpty else { return }
        let begin = processNanoseconds()
        let blocks = builder.finish(watermark: epoch, spansPerBlock: limits.spansPerVerdictBlock)
        verdicts += processNanoseconds() - begin
        for block in blocks { rows += Self.rows(of: block) }
    }
}

extension LinkingPass {
    /// How many spans a verdict block is about.
    private static func rows(of block: [UInt8]) -> Int {
        let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: max(1, block.count), alignment: 16)
        defer { bytes.deallocate() }
        bytes.copyBytes(from: block)
        do throws(CodecError) {
            return try VerdictDecoder(UnsafeRawBufferPointer(bytes)).commits.reduce(0) { $0 + $1.rows }
        } catch {
            LinkingBench.fail("a verdict block cannot be read: \(error)", code: 70)
        }
    }
}

/// CPU time of this process, nanoseconds.
private func processNanoseconds() -> Int {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return time.tv_sec * 1_000_000_000 + time.tv_nsec
}

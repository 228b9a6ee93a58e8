import Glibc
import LoadNet

/// CPU time and memory of a process, from /proc.
struct ProcessUsage {
    var processID: pid_t
    var name: String
    var parent: pid_t
    /// User and system time of the process, seconds, with that of its children that ended and were waited for.
    var userSeconds: Double
    var systemSeconds: Double
    var cpuSeconds: Double { userSeconds + systemSeconds }

    /// nil when there is no such process.
    init?(_ processID: pid_t) {
        self.init(processID, stat: "/proc/\(processID)/stat")
    }

    /// - Parameter stat: the file of the process, or of one of its threads.
    private init?(_ processID: pid_t, stat: String) {
        guard let text = readFile(stat), let open = text.firstIndex(of: "("),
            let close = text.lastIndex(of: ")")
        else { return nil }
        let fields = text[text.index(after: close)...].split(separator: " ")
        guard fields.count > 14, fields[0] != "Z", let parent = pid_t(fields[1]) else { return nil }
        let ticks = fields[11...14].compactMap { Double($0) }
        guard ticks.count == 4 else { return nil }
        let perSecond = Double(sysconf(Int32(_SC_CLK_TCK)))
        self.processID = processID
        name = String(text[text.index(after: open)..<close])
        self.parent = parent
        userSeconds = (ticks[0] + ticks[2]) / perSecond
        systemSeconds = (ticks[1] + ticks[3]) / perSecond
    }

    /// A process and everything below it.
    static func family(of root: pid_t) -> [ProcessUsage] {
        let all = names(in: "/proc").compactMap { pid_t($0) }.compactMap { ProcessUsage($0) }
        var members: Set<pid_t> = [root]
        var grew = true
        while grew {
            let more = all.filter { members.contains($0.parent) && !members.contains($0.processID) }
            members.formUnion(more.map(\.processID))
            grew = !more.isEmpty
        }
        return all.filter { members.contains($0.processID) }.sorted { $0.processID < $1.processID }
    }

    /// CPU seconds of the living threads of processes, by the name of the process and of the thread without its number.
    static func threads(of processes: [ProcessUsage]) -> [String: Double] {
        var sums: [String: Double] = [:]
        for process in processes {
            let folder = "/proc/\(process.processID)/task"
            for thread in names(in: folder).compactMap({ pid_t($0) }) {
                guard let usage = ProcessUsage(process.processID, stat: "\(folder)/\(thread)/stat") else { continue }
                let kind = usage.name.prefix { !$0.isNumber && $0 != "#" }
                let name = thread == process.processID ? "main" : String(kind)
                sums["\(process.name) \(name)", default: 0] += usage.userSeconds + usage.systemSeconds
            }
        }
        return sums
    }

    /// Proportional set size, bytes; 0 when it cannot be read.
    static func proportionalSetSize(_ processID: pid_t) -> Int {
        guard let text = readFile("/proc/\(processID)/smaps_rollup") else { return 0 }
        for line in text.split(separator: "\n") where line.hasPrefix("Pss:") {
            return (Int(line.split(separator: " ")[1]) ?? 0) << 10
        }
        return 0
    }
}

import LoadModel
import LoadNet

/// What a measurement is asked to do.
struct Options {
    var command = "all"
    var router = ".build/release/ebpftrace-router"
    var load = LoadSettings()
    /// A shape instead of the modelled cluster, for `generate`.
    var shape: Shape?
    var workers = 2
    var connections = 4
    var window = "2s"
    var samplingRates = [0.1, 1.0]
    /// Runs of each kind; nil: as many as the command usually makes.
    var runs: Int?
    /// Spans a second; 0: as fast as the router takes them.
    var pace = 0.0
    /// Seconds between two deliveries of one agent; 0: a body is sent when it is full.
    var agentFlush = 0.0
    /// Length of a paced load; nil: as long as the command usually takes.
    var seconds: Double?
    var timeoutSeconds = 180.0
    var routerArguments: [String] = []
    var targetQuery = "token=bench"
    var jsonPath: String?
    var outPath: String?
    var requirements: [String] = []
    var keepsData = false
    var isGzip = false
    var target = TargetChoice.dataway
    /// `fields` of an OTLP target.
    var fields = "none"
    /// Whether the router keeps traces in its own store, too.
    var hasStore = false

    static let help = """
        usage: ebpftrace-bench [all|run|steady|export|store|search|generate|self-test] [options]
        Run it at the root of the repository.

          all         (default) CPU at each sampling rate, minimum of several runs; export; steady
          run         CPU only
          steady      memory: paced load, window 20 s, agents that deliver every 10 s
          export      CPU of exporting with sending, as points and as OTLP, per million kept spans
          store       the router's own store beside the pipeline: 50,000 spans a second at sampling 0.1 for 60 s,
                      without and with it
          search      fill a store with made-up spans (default 5 million) and time questions to it
          generate    write the bodies to --out FILE as one PBPoints message
          self-test   generator, sender, sink and truth check against each other, without the product

          --router PATH          default .build/release/ebpftrace-router
          --spans N              spans of one run (1000000; search: 5000000)
          --sampling-rate R      may be repeated (0.1 and 1.0)
          --runs N               runs of each kind (3; store: 1)
          --shape chain|star|thread|equal-keys   generate: all spans of one such trace, about 310 bytes a point
          --profile plain|cluster  about 630 or 1030 bytes a point (plain)
          --window D             of the CPU runs (2s)
          --workers N            worker processes (2)
          --connections N        agents' connections (4)
          --pace N               spans a second; 0: as fast as they are taken (0)
          --agent-flush S        seconds between deliveries of one agent; 0: whenever a body is full (0)
          --seconds S            length of steady (90) and store (60)
          --translated-share X   share of the services behind a cluster address (0.25)
          --seed N               of the generator (1)
          --target T             where finished traces go: dataway, otlp, both or none (dataway)
          --target-query Q       query of the Dataway target (token=bench)
          --fields none|link|all of the OTLP target (none)
          --gzip                 let the product compress what it exports
          --router-argument A    handed to the router; may be repeated
          --timeout S            longest wait for the end of one run (180)
          --json FILE            the figures as JSON
          --require 'NAME<=X'    exit 1 when it does not hold. NAME, as in --json: cpu_0.1, cpu_1.0, pss_mb,
                                 export_points, export_otlp, store_lost, store_behind, store_cpu, search_ms, trace_ms,
                                 wrong, failures
          --store                with the router's own store
          --keep                 leave the data directories
        """

    /// The options of a command line; a sentence about what is wrong with it otherwise.
    static func parse(_ arguments: [String]) -> Result<Options, UsageProblem> {
        var options = Options()
        var rest = arguments[...]
        if let first = rest.first, !first.hasPrefix("-") { options.command = rest.removeFirst() }
        if options.command == "search" { options.load.spanCount = 5_000_000 }
        var rates: [Double] = []
        while let name = rest.popFirst() {
            if options.raise(name) { continue }
            guard let value = rest.popFirst() else { return .failure(UsageProblem(text: "\(name) needs a value")) }
            if name == "--sampling-rate" {
                guard let rate = Double(value), (0...1).contains(rate) else {
                    return .failure(UsageProblem(text: "\(value) is no sampling rate: 0 to 1"))
                }
                rates.append(rate)
            } else if !options.set(name, value) {
                return .failure(UsageProblem(text: "\(name) \(value): unknown option or bad value; see --help"))
            }
        }
        if !rates.isEmpty { options.samplingRates = rates }
        return .success(options)
    }

    /// Options without a value.
    private mutating func raise(_ name: String) -> Bool {
        switch name {
        case "--keep": keepsData = true
        case "--gzip": isGzip = true
        case "--store": hasStore = true
        default: return false
        }
        return true
    }

    private mutating func set(_ name: String, _ value: String) -> Bool {
        switch name {
        case "--router": router = value
        case "--window": window = value
        case "--target-query": targetQuery = value
        case "--target":
            guard let choice = TargetChoice(rawValue: value) else { return false }
            target = choice
        case "--fields" where ["none", "link", "all"].contains(value): fields = value
        case "--router-argument": routerArguments.append(value)
        case "--json": jsonPath = value
        case "--out": outPath = value
        case "--require": requirements.append(value)
        case "--shape":
            guard let shape = Shape(rawValue: value) else { return false }
            self.shape = shape
        case "--profile":
            guard let profile = Profile(rawValue: value) else { return false }
            load.profile = profile
        default: return setNumber(name, value)
        }
        return true
    }

    private mutating func setNumber(_ name: String, _ value: String) -> Bool {
        guard let number = Double(value), number >= 0, number <= 4e9 else { return false }
        let count = Int(number)
        switch name {
        case "--spans" where count > 0: load.spanCount = count
        case "--runs" where count > 0: runs = count
        case "--workers" where count > 0: workers = count
        case "--connections" where count > 0: connections = count
        case "--seed": load.seed = UInt64(count)
        case "--translated-share": load.translatedShare = number
        case "--pace": pace = number
        case "--agent-flush": agentFlush = number
        case "--seconds": seconds = number
        case "--timeout": timeoutSeconds = number
        default: return false
        }
        return true
    }
}

/// Which targets the product gets.
enum TargetChoice: String {
    case dataway, otlp, both
    /// Finished traces are counted by the product and not sent anywhere: linking is not checked then.
    case none

    var forms: [SinkForm] {
        switch self {
        case .dataway: [.dataway]
        case .otlp: [.otlp]
        case .both: [.dataway, .otlp]
        case .none: []
        }
    }
}

/// What is wrong with a command line.
struct UsageProblem: Error {
    var text: String
}

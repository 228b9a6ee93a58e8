import Hummingbird
import Linking
import Shared
import SharedNet

/// The console's query API: the part of Tempo's that Grafana's data source uses, and our own.
///
/// | path | answer |
/// |---|---|
/// | `/api/echo`, `/ready`, `/api/status/buildinfo` | is somebody there, and who |
/// | `/api/traces/{id}`, `/api/v2/traces/{id}` | a trace as Tempo answers it, JSON or protobuf |
/// | `/api/search` | traces by TraceQL or tags |
/// | `/api/search/tags`, `/api/search/tag/{tag}/values`, and both below `/api/v2` | names and values of attributes |
/// | `/api/services`, `/api/trace/{id}`, `/api/explain/{span}` | what the console's UI asks |
/// | `/api/openapi.yaml` | the description of all of it |
///
/// Errors are `{"error":"sentence"}`. Every endpoint is timed (`ebpftrace_query_seconds`).
struct QueryEndpoints: Sendable {
    let store: (any TraceReading)?
    let limits: Limits
    let metrics: MetricsRegistry
    let readiness: @Sendable () async -> Readiness

    /// - Parameter store: nil when the store is off: every question for traces is answered with 404 and the remedy.
    init(
        store: (any TraceReading)?, limits: Limits, metrics: MetricsRegistry,
        readiness: @escaping @Sendable () async -> Readiness = { .ready }
    ) {
        self.store = store
        self.limits = limits
        self.metrics = metrics
        self.readiness = readiness
    }

    /// Adds the endpoints to the console's router.
    func register(on router: some RouterMethods<some RequestContext>) {
        registerGreetings(on: router)
        registerTempo(on: router)
        registerConsole(on: router)
    }

    private func registerGreetings(on router: some RouterMethods<some RequestContext>) {
        add("api/echo", on: router) { _ in .text("echo") }
        add("ready", on: router) { _ in
            let readiness = await readiness()
            return readiness.ready
                ? .text("ready\n") : .text(readiness.reasons.joined(separator: "\n") + "\n", .serviceUnavailable)
        }
        add("api/status/buildinfo", on: router) { _ in
            var writer = JSONWriter()
            writer.object { writer in
                // Grafana decides by this number what it may ask; the product's own stands beside it.
                writer.member("version", Self.tempoVersion)
                for name in ["revision", "branch", "buildDate", "buildUser", "goVersion"] { writer.member(name, "") }
                writer.member("product", "ebpftrace")
                writer.member("productVersion", Product.version)
            }
            return .json(writer.bytes)
        }
        add("api/openapi.yaml", on: router) { _ in
            QueryAnswer(contentType: "application/yaml", body: Array(OpenAPIDocument.yaml.utf8))
        }
    }

    /// The version of Tempo's API that is followed.
    static let tempoVersion = "2.9.0"

    // MARK: One endpoint

    typealias Handler = @Sendable (QueryRequest) async throws(Failure) -> QueryAnswer

    /// Adds a GET; `path` as Hummingbird writes it (`api/trace/:id`), which also labels its time.
    func add(_ path: String, on router: some RouterMethods<some RequestContext>, _ handler: @escaping Handler) {
        let time = metrics.histogram(Metric.querySeconds, "/" + path)
        router.get(RouterPath(path)) { request, context in
            let started = SystemClocks.monotonicNanoseconds()
            defer { time.record(SystemClocks.monotonicNanoseconds() - started) }
            do throws(Failure) {
                return try await handler(QueryRequest(request, context)).response
            } catch {
                return QueryAnswer.failure(error).response
            }
        }
    }

    /// Adds a GET that needs the store.
    func add(
        _ path: String, on router: some RouterMethods<some RequestContext>,
        _ handler: @escaping @Sendable (QueryRequest, any TraceReading) async throws(Failure) -> QueryAnswer
    ) {
        add(path, on: router) { (request) async throws(Failure) -> QueryAnswer in
            guard let store else {
                return .problem(.notFound, "the embedded store is off; switch it on with store = on")
            }
            return try await handler(request, store)
        }
    }
}

/// The description of the console's API, OpenAPI 3.1: served at `/api/openapi.yaml`, printed into `docs/openapi.yaml`
/// by `make docs`, and held against the running router by `scripts/fuzz-api.sh`.
enum OpenAPIDocument {
    /// The whole text, put together from its themes.
    static let yaml = [
        head, tempoPaths, consolePaths, operationPaths, components, tempoSchemas, consoleSchemas, graphSchemas,
    ].joined(separator: "\n")

    private static let head = #"""
    openapi: 3.1.0
    info:
      title: ebpftrace console
      version: "1"
      summary: Traces, searches, services and explanations of the embedded store, and the router's own state.
      description: >-
        Answered by the console listener (default 127.0.0.1:9530). The paths under "tempo" follow Grafana Tempo's
        query API, version 2.9, as far as Grafana's data source uses it. Every error is a JSON object with one member,
        `error`, a sentence that names the thing and the remedy.
      license: {name: Apache-2.0, identifier: Apache-2.0}
    servers:
      - {url: "http://127.0.0.1:9530"}
    tags:
      - {name: tempo, description: What Grafana's Tempo data source asks.}
      - {name: console, description: What the console's pages ask.}
      - {name: ingest, description: Spans of SDKs and of our own workers.}
      - {name: operations, description: What operators and orchestrators ask.}
    paths:
    """#
}

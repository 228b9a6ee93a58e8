extension OpenAPIDocument {
    /// Ingest of spans, and what operators and orchestrators ask.
    static let operationPaths = #"""
      /api/openapi.yaml:
        get:
          operationId: description
          tags: [operations]
          summary: This description.
          responses:
            "200": {description: OpenAPI 3.1., content: {application/yaml: {schema: {type: object}}}}
      /v1/traces:
        post:
          operationId: ingestOTLP
          tags: [ingest]
          summary: OTLP over HTTP, protobuf or JSON, plain, gzip or zstd.
          requestBody:
            required: true
            content:
              application/x-protobuf: {schema: {type: string, contentEncoding: binary}}
              application/json: {schema: {type: object}}
          responses:
            "200":
              description: ExportTraceServiceResponse; empty when every span was taken.
              content:
                application/x-protobuf: {schema: {type: string, contentEncoding: binary}}
                application/json: {schema: {type: object}}
            "400": {description: The body cannot be read.}
            "413": {description: The body is too large.}
            "415": {description: A content type that is not OTLP.}
            "429": {description: "The store is behind; try again after Retry-After."}
            "503": {description: "The store cannot take spans now; try again after Retry-After."}
      /livez:
        get:
          operationId: live
          tags: [operations]
          summary: 200 as long as the process can answer at all.
          responses:
            "200": {description: Alive., content: {application/json: {schema: {type: object}}}}
      /readyz:
        get:
          operationId: readyJSON
          tags: [operations]
          summary: Whether the router takes work, and what keeps it from doing so.
          responses:
            "200":
              description: Ready.
              content: {application/json: {schema: {$ref: "#/components/schemas/Readiness"}}}
            "503":
              description: Not ready.
              content: {application/json: {schema: {$ref: "#/components/schemas/Readiness"}}}
      /status:
        get:
          operationId: status
          tags: [operations, console]
          summary: What came in, what went out, what is held, who works.
          responses:
            "200":
              description: The status.
              content: {application/json: {schema: {$ref: "#/components/schemas/Status"}}}
      /metrics:
        get:
          operationId: metrics
          tags: [operations]
          summary: Metrics of router and workers, docs/metrics.md.
          responses:
            "200": {description: Prometheus text., content: {text/plain: {schema: {type: string}}}}
      /:
        get:
          operationId: console
          tags: [console]
          summary: The console's first page; its files lie below /ui/.
          responses:
            "200": {description: HTML., content: {text/html: {schema: {type: string}}}}
    """#
}

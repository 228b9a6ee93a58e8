/// The description of the console's API, OpenAPI 3.1: served at `/api/openapi.yaml`, printed into `docs/openapi.yaml`
/// by `make docs`, and held against the running router by `scripts/fuzz-api.sh`.
enum OpenAPIDocument {
    static let yaml = #"""
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
      /api/echo:
        get:
          operationId: echo
          tags: [tempo]
          summary: Says that somebody is there.
          responses:
            "200": {description: The word echo., content: {text/plain: {schema: {type: string}}}}
      /ready:
        get:
          operationId: ready
          tags: [tempo, operations]
          summary: Readiness in Tempo's form.
          responses:
            "200": {description: Ready., content: {text/plain: {schema: {type: string}}}}
            "503": {description: Not ready; a reason on each line., content: {text/plain: {schema: {type: string}}}}
      /api/status/buildinfo:
        get:
          operationId: buildInformation
          tags: [tempo]
          summary: The version of Tempo's API that is followed, and the product's own.
          responses:
            "200":
              description: Versions.
              content: {application/json: {schema: {$ref: "#/components/schemas/BuildInformation"}}}
      /api/traces/{id}:
        get:
          operationId: traceV1
          tags: [tempo]
          summary: A trace as OTLP; Tempo's first version.
          parameters: &traceParameters
            - {$ref: "#/components/parameters/traceID"}
            - {$ref: "#/components/parameters/start"}
            - {$ref: "#/components/parameters/end"}
          responses:
            "200":
              description: The trace; ids are base64 in JSON, as protobuf's JSON has bytes.
              content:
                application/json: {schema: {$ref: "#/components/schemas/TempoTrace"}}
                application/protobuf: {schema: {type: string, contentEncoding: binary}}
            "400": {$ref: "#/components/responses/BadRequest"}
            "404": {$ref: "#/components/responses/NotFound"}
            "503": {$ref: "#/components/responses/Unavailable"}
      /api/v2/traces/{id}:
        get:
          operationId: traceV2
          tags: [tempo]
          summary: A trace as OTLP in an envelope; Tempo's second version.
          parameters: *traceParameters
          responses:
            "200":
              description: TraceByIDResponse.
              content:
                application/json: {schema: {$ref: "#/components/schemas/TempoTraceResponse"}}
                application/protobuf: {schema: {type: string, contentEncoding: binary}}
            "400": {$ref: "#/components/responses/BadRequest"}
            "404": {$ref: "#/components/responses/NotFound"}
            "503": {$ref: "#/components/responses/Unavailable"}
      /api/search:
        get:
          operationId: search
          tags: [tempo, console]
          summary: Traces by TraceQL or by tags, newest first.
          parameters:
            - name: q
              in: query
              description: TraceQL; docs/query-api.md lists what is supported. Not together with tags.
              schema: {type: string}
              example: "{ resource.service.name = \"gw\" && status = error }"
            - name: tags
              in: query
              description: The older form, logfmt, e.g. service.name=gw error=true. Values match in part.
              schema: {type: string}
            - name: minDuration
              in: query
              description: Of the whole trace, e.g. 100ms.
              schema: {type: string}
            - name: maxDuration
              in: query
              schema: {type: string}
            - name: limit
              in: query
              description: Most traces; more than 5,000 count as 5,000.
              schema: {type: integer, minimum: 1, default: 20}
            - name: spss
              in: query
              description: Most spans of one set; 0 is as many as there may be.
              schema: {type: integer, minimum: 0, default: 3}
            - {$ref: "#/components/parameters/start"}
            - {$ref: "#/components/parameters/end"}
          responses:
            "200":
              description: SearchResponse.
              content:
                application/json: {schema: {$ref: "#/components/schemas/SearchAnswer"}}
                application/protobuf: {schema: {type: string, contentEncoding: binary}}
            "400": {$ref: "#/components/responses/BadRequest"}
            "404": {$ref: "#/components/responses/NotFound"}
            "503": {$ref: "#/components/responses/Unavailable"}
      /api/search/tags:
        get:
          operationId: tagNamesV1
          tags: [tempo]
          summary: Names of attributes, without their scopes.
          parameters: &tagParameters
            - name: scope
              in: query
              schema:
                type: string
                enum: [none, all, resource, span, intrinsic, event, link, instrumentation, trace]
            - {$ref: "#/components/parameters/limitOfTags"}
            - {$ref: "#/components/parameters/start"}
            - {$ref: "#/components/parameters/end"}
          responses:
            "200":
              description: SearchTagsResponse.
              content:
                application/json: {schema: {$ref: "#/components/schemas/TagNames"}}
                application/protobuf: {schema: {type: string, contentEncoding: binary}}
            "400": {$ref: "#/components/responses/BadRequest"}
            "404": {$ref: "#/components/responses/NotFound"}
            "503": {$ref: "#/components/responses/Unavailable"}
      /api/v2/search/tags:
        get:
          operationId: tagNamesV2
          tags: [tempo, console]
          summary: Names of attributes by scope.
          parameters: *tagParameters
          responses:
            "200":
              description: SearchTagsV2Response.
              content:
                application/json: {schema: {$ref: "#/components/schemas/ScopedTagNames"}}
                application/protobuf: {schema: {type: string, contentEncoding: binary}}
            "400": {$ref: "#/components/responses/BadRequest"}
            "404": {$ref: "#/components/responses/NotFound"}
            "503": {$ref: "#/components/responses/Unavailable"}
      /api/search/tag/{tag}/values:
        get:
          operationId: tagValuesV1
          tags: [tempo]
          summary: Values of an attribute, as texts.
          parameters:
            - {$ref: "#/components/parameters/tag"}
            - {$ref: "#/components/parameters/limitOfTags"}
            - {$ref: "#/components/parameters/start"}
            - {$ref: "#/components/parameters/end"}
          responses:
            "200":
              description: SearchTagValuesResponse.
              content:
                application/json: {schema: {$ref: "#/components/schemas/TagValues"}}
                application/protobuf: {schema: {type: string, contentEncoding: binary}}
            "400": {$ref: "#/components/responses/BadRequest"}
            "404": {$ref: "#/components/responses/NotFound"}
            "503": {$ref: "#/components/responses/Unavailable"}
      /api/v2/search/tag/{tag}/values:
        get:
          operationId: tagValuesV2
          tags: [tempo, console]
          summary: Values of an attribute with their types; the tag is a field of TraceQL.
          parameters:
            - {$ref: "#/components/parameters/tag"}
            - name: q
              in: query
              description: Only values on spans that this TraceQL finds; a query that cannot be read filters nothing.
              schema: {type: string}
            - {$ref: "#/components/parameters/limitOfTags"}
            - {$ref: "#/components/parameters/start"}
            - {$ref: "#/components/parameters/end"}
          responses:
            "200":
              description: SearchTagValuesV2Response.
              content:
                application/json: {schema: {$ref: "#/components/schemas/TypedTagValues"}}
                application/protobuf: {schema: {type: string, contentEncoding: binary}}
            "400": {$ref: "#/components/responses/BadRequest"}
            "404": {$ref: "#/components/responses/NotFound"}
            "503": {$ref: "#/components/responses/Unavailable"}
      /api/metrics/query_range:
        get:
          operationId: traceQLMetricsRange
          tags: [tempo]
          summary: TraceQL metrics are not supported.
          responses:
            "400": {$ref: "#/components/responses/BadRequest"}
      /api/metrics/query:
        get:
          operationId: traceQLMetrics
          tags: [tempo]
          summary: TraceQL metrics are not supported.
          responses:
            "400": {$ref: "#/components/responses/BadRequest"}
      /api/services:
        get:
          operationId: services
          tags: [console]
          summary: Services and their operations.
          parameters:
            - {$ref: "#/components/parameters/start"}
            - {$ref: "#/components/parameters/end"}
          responses:
            "200":
              description: Services, sorted by name.
              content: {application/json: {schema: {$ref: "#/components/schemas/Services"}}}
            "400": {$ref: "#/components/responses/BadRequest"}
            "404": {$ref: "#/components/responses/NotFound"}
            "503": {$ref: "#/components/responses/Unavailable"}
      /api/trace/{id}:
        get:
          operationId: trace
          tags: [console]
          summary: A trace view in a compact form.
          parameters:
            - {$ref: "#/components/parameters/traceID"}
          responses:
            "200":
              description: The trace.
              content: {application/json: {schema: {$ref: "#/components/schemas/Trace"}}}
            "400": {$ref: "#/components/responses/BadRequest"}
            "404": {$ref: "#/components/responses/NotFound"}
            "503": {$ref: "#/components/responses/Unavailable"}
      /api/explain/{span}:
        get:
          operationId: explain
          tags: [console]
          summary: Why a span hangs where it hangs, or why it hangs nowhere.
          parameters:
            - name: span
              in: path
              required: true
              description: 1 to 16 hexadecimal digits.
              example: 2b3187d9662672ad
              schema: {type: string, pattern: "^[0-9a-fA-F]{1,16}$"}
            - name: trace
              in: query
              description: The span's trace; without it the newest trace with the span is looked for.
              schema: {type: string, pattern: "^[0-9a-fA-F]{1,32}$"}
          responses:
            "200":
              description: The explanation.
              content: {application/json: {schema: {$ref: "#/components/schemas/Explanation"}}}
            "400": {$ref: "#/components/responses/BadRequest"}
            "404": {$ref: "#/components/responses/NotFound"}
            "503": {$ref: "#/components/responses/Unavailable"}
      /api/graph:
        get:
          operationId: serviceGraph
          tags: [console]
          summary: Who calls whom, how often, how fast and how well.
          parameters:
            - {$ref: "#/components/parameters/start"}
            - {$ref: "#/components/parameters/end"}
          responses:
            "200":
              description: The graph; latencies in milliseconds.
              content: {application/json: {schema: {$ref: "#/components/schemas/Graph"}}}
            "400": {$ref: "#/components/responses/BadRequest"}
      /api/history:
        get:
          operationId: history
          tags: [console]
          summary: The router's counters of the last minutes.
          responses:
            "200":
              description: At most 600 points; counters are cumulative.
              content: {application/json: {schema: {$ref: "#/components/schemas/History"}}}
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
            "200": {description: The status., content: {application/json: {schema: {type: object}}}}
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
    components:
      parameters:
        traceID:
          name: id
          in: path
          required: true
          description: 1 to 32 hexadecimal digits; filled up with zeros from the left.
          example: 9fe92257341f0634af21a642f5038972
          schema: {type: string, pattern: "^[0-9a-fA-F]{1,32}$"}
        tag:
          name: tag
          in: path
          required: true
          description: resource.x, span.x, .x, or an intrinsic such as name; the first version takes x alone.
          schema: {type: string, minLength: 1}
          example: resource.service.name
        start:
          name: start
          in: query
          description: Seconds since 1970; 0 is no bound.
          schema: {type: integer, minimum: 0, maximum: 18446744072}
        end:
          name: end
          in: query
          description: Seconds since 1970, after start; 0 is no bound.
          schema: {type: integer, minimum: 0, maximum: 18446744072}
        limitOfTags:
          name: limit
          in: query
          description: Most names or values; 0, and more than 10,000, count as 10,000.
          schema: {type: integer, minimum: 0}
      responses:
        BadRequest:
          description: The question cannot be read, or asks for what is not supported.
          content: {application/json: {schema: {$ref: "#/components/schemas/Error"}}}
        NotFound:
          description: It is not in the store, or the store is off.
          content: {application/json: {schema: {$ref: "#/components/schemas/Error"}}}
        Unavailable:
          description: The store cannot answer now.
          content: {application/json: {schema: {$ref: "#/components/schemas/Error"}}}
      schemas:
        Error:
          type: object
          required: [error]
          properties: {error: {type: string}}
        BuildInformation:
          type: object
          required: [version, product, productVersion]
          properties:
            version: {type: string, description: Of Tempo's API.}
            product: {const: ebpftrace}
            productVersion: {type: string}
        Readiness:
          type: object
          required: [ready, reasons]
          properties: {ready: {type: boolean}, reasons: {type: array, items: {type: string}}}
        Base64: {type: string, contentEncoding: base64}
        Nanoseconds: {type: string, pattern: "^[0-9]+$", description: A 64-bit number as text.}
        HexTrace: {type: string, pattern: "^[0-9a-f]{32}$"}
        HexSpan: {type: string, pattern: "^[0-9a-f]{16}$"}
        KeyValue:
          type: object
          required: [key, value]
          properties:
            key: {type: string}
            value:
              type: object
              maxProperties: 1
              properties:
                stringValue: {type: string}
                intValue: {type: string}
                doubleValue: {type: [number, string]}
                boolValue: {type: boolean}
        ResourceSpans:
          type: object
          required: [resource, scopeSpans]
          properties:
            resource:
              type: object
              properties: {attributes: {type: array, items: {$ref: "#/components/schemas/KeyValue"}}}
            scopeSpans:
              type: array
              items:
                type: object
                required: [scope, spans]
                properties:
                  scope: {type: object, properties: {name: {type: string}}}
                  spans: {type: array, items: {$ref: "#/components/schemas/TempoSpan"}}
        TempoSpan:
          type: object
          required: [traceId, spanId, startTimeUnixNano, endTimeUnixNano, status]
          properties:
            traceId: {$ref: "#/components/schemas/Base64"}
            spanId: {$ref: "#/components/schemas/Base64"}
            parentSpanId: {$ref: "#/components/schemas/Base64"}
            name: {type: string}
            kind:
              enum: [SPAN_KIND_INTERNAL, SPAN_KIND_SERVER, SPAN_KIND_CLIENT, SPAN_KIND_PRODUCER, SPAN_KIND_CONSUMER]
            startTimeUnixNano: {$ref: "#/components/schemas/Nanoseconds"}
            endTimeUnixNano: {$ref: "#/components/schemas/Nanoseconds"}
            attributes: {type: array, items: {$ref: "#/components/schemas/KeyValue"}}
            status:
              type: object
              properties: {code: {enum: [STATUS_CODE_OK, STATUS_CODE_ERROR]}, message: {type: string}}
        TempoTrace:
          type: object
          required: [batches]
          properties: {batches: {type: array, items: {$ref: "#/components/schemas/ResourceSpans"}}}
        TempoTraceResponse:
          type: object
          required: [trace, metrics]
          properties:
            trace:
              type: object
              required: [resourceSpans]
              properties: {resourceSpans: {type: array, items: {$ref: "#/components/schemas/ResourceSpans"}}}
            metrics: {type: object}
        SpanSet:
          type: object
          required: [spans, matched]
          properties:
            matched: {type: integer, minimum: 1}
            attributes: {type: array, items: {$ref: "#/components/schemas/KeyValue"}}
            spans:
              type: array
              items:
                type: object
                required: [spanID, startTimeUnixNano, durationNanos]
                properties:
                  spanID: {$ref: "#/components/schemas/HexSpan"}
                  name: {type: string}
                  startTimeUnixNano: {$ref: "#/components/schemas/Nanoseconds"}
                  durationNanos: {$ref: "#/components/schemas/Nanoseconds"}
                  attributes: {type: array, items: {$ref: "#/components/schemas/KeyValue"}}
        SearchAnswer:
          type: object
          required: [traces, metrics]
          properties:
            partial: {const: true, description: Time or work ran out before all traces were seen.}
            metrics: {type: object}
            traces:
              type: array
              items:
                type: object
                required:
                  [traceID, rootServiceName, rootTraceName, startTimeUnixNano, durationMs, spanSets, serviceStats,
                   spanCount, errorCount, durationMicros]
                properties:
                  traceID: {$ref: "#/components/schemas/HexTrace"}
                  rootServiceName: {type: string}
                  rootTraceName: {type: string}
                  startTimeUnixNano: {$ref: "#/components/schemas/Nanoseconds"}
                  durationMs: {type: integer, minimum: 0}
                  spanSet: {$ref: "#/components/schemas/SpanSet"}
                  spanSets: {type: array, items: {$ref: "#/components/schemas/SpanSet"}}
                  serviceStats:
                    type: object
                    additionalProperties:
                      type: object
                      required: [spanCount, errorCount]
                      properties: {spanCount: {type: integer}, errorCount: {type: integer}}
                  spanCount: {type: integer, description: Ours.}
                  errorCount: {type: integer, description: Ours.}
                  durationMicros: {type: integer, description: Ours.}
        TagNames:
          type: object
          required: [tagNames]
          properties: {tagNames: {type: array, items: {type: string}}, metrics: {type: object}}
        ScopedTagNames:
          type: object
          required: [scopes]
          properties:
            metrics: {type: object}
            scopes:
              type: array
              items:
                type: object
                required: [name, tags]
                properties: {name: {type: string}, tags: {type: array, items: {type: string}}}
        TagValues:
          type: object
          required: [tagValues]
          properties: {tagValues: {type: array, items: {type: string}}, metrics: {type: object}}
        TypedTagValues:
          type: object
          required: [tagValues]
          properties:
            metrics: {type: object}
            tagValues:
              type: array
              items:
                type: object
                required: [type, value]
                properties:
                  type: {enum: [string, int, float, bool, keyword, duration]}
                  value: {type: string}
        Services:
          type: object
          required: [services]
          properties:
            services:
              type: array
              items:
                type: object
                required: [name, operations, spans, errors]
                properties:
                  name: {type: string}
                  operations: {type: array, items: {type: string}}
                  spans: {type: integer, minimum: 0}
                  errors: {type: integer, minimum: 0}
        Attributes:
          type: object
          description: By name; whole numbers beyond 53 bits are texts.
        Trace:
          type: object
          required: [traceID, start, duration, resources, spans]
          properties:
            traceID: {$ref: "#/components/schemas/HexTrace"}
            start: {type: integer, description: Microseconds since 1970.}
            duration: {type: integer, description: Microseconds.}
            resources: {type: array, items: {$ref: "#/components/schemas/Attributes"}}
            spans:
              type: array
              items:
                type: object
                required: [id, parent, resource, name, kind, start, duration, status, evidence, flags, attributes]
                properties:
                  id: {$ref: "#/components/schemas/HexSpan"}
                  parent: {type: [string, "null"], pattern: "^[0-9a-f]{16}$"}
                  resource: {type: integer, minimum: 0}
                  name: {type: string}
                  kind: {enum: [unspecified, internal, server, client, producer, consumer]}
                  start: {type: integer, minimum: 0, description: Microseconds after the trace's start.}
                  duration: {type: [integer, "null"], description: Microseconds; null when no end was seen.}
                  status: {enum: [unset, ok, error]}
                  statusMessage: {type: string}
                  evidence: {enum: [net, net_key, net_weak, thread, process, null]}
                  application: {const: true, description: A span of an SDK.}
                  flags: {type: array, items: {enum: [late, root_missing, truncated, open]}}
                  attributes: {$ref: "#/components/schemas/Attributes"}
        ExplainedSpan:
          type: object
          required: [id, traceID, service, name]
          properties:
            id: {$ref: "#/components/schemas/HexSpan"}
            traceID: {$ref: "#/components/schemas/HexTrace"}
            service: {type: string}
            name: {type: string}
        Match:
          type: object
          required: [what, child, parent]
          properties: {what: {type: string}, child: {type: string}, parent: {type: string}}
        Explanation:
          type: object
          required: [span, parent, evidence, rule, sentence, matched, candidates, notes]
          properties:
            span: {$ref: "#/components/schemas/ExplainedSpan"}
            parent:
              anyOf: [{$ref: "#/components/schemas/ExplainedSpan"}, {type: "null"}]
            evidence: {enum: [net, net_key, net_weak, thread, process, null]}
            rule: {enum: [R1a, R1b, R2, R3, R4, R5, application, null]}
            sentence: {type: string}
            matched: {type: array, items: {$ref: "#/components/schemas/Match"}}
            notes: {type: array, items: {type: string}}
            candidates:
              type: array
              items:
                type: object
                required: [span, rule, matched, failed]
                properties:
                  span: {$ref: "#/components/schemas/ExplainedSpan"}
                  rule: {type: string}
                  matched: {type: array, items: {$ref: "#/components/schemas/Match"}}
                  failed: {type: array, items: {type: string}}
        Graph:
          type: object
          required: [nodes, edges, unpaired]
          properties:
            nodes:
              type: array
              items:
                type: object
                required: [name, type, requests, errors]
                properties:
                  name: {type: string}
                  type: {enum: [service, database, messaging, external, user]}
                  requests: {type: integer}
                  errors: {type: integer}
            edges:
              type: array
              items:
                type: object
                required: [client, server, requests, errors, rate, p50, p95, p99]
                properties:
                  client: {type: string}
                  server: {type: string}
                  requests: {type: integer}
                  errors: {type: integer}
                  rate: {type: number, description: Requests a second.}
                  p50: {type: number}
                  p95: {type: number}
                  p99: {type: number}
            unpaired:
              type: array
              items:
                type: object
                required: [service, side, spans]
                properties:
                  service: {type: string}
                  side: {enum: [client, server]}
                  spans: {type: integer}
        History:
          type: object
          required: [stepSeconds, points]
          properties:
            stepSeconds: {type: number}
            points:
              type: array
              maxItems: 600
              items:
                type: object
                required: [time, accepted, exported, dropped, held, openSpans, lagSeconds, cpuSeconds, memoryBytes]
                properties:
                  time: {type: number, description: Seconds since 1970.}
                  accepted: {type: integer}
                  exported: {type: object, additionalProperties: {type: integer}}
                  dropped: {type: object, additionalProperties: {type: integer}}
                  held: {type: integer}
                  openSpans: {type: integer}
                  lagSeconds: {type: number}
                  cpuSeconds: {type: number}
                  memoryBytes: {type: integer}

    """#
}

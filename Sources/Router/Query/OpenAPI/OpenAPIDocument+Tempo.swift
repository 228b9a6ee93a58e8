extension OpenAPIDocument {
    /// What Grafana's Tempo data source asks.
    static let tempoPaths = #"""
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
    """#
}

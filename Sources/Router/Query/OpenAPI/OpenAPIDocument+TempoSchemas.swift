extension OpenAPIDocument {
    /// Traces, searches and tags as Tempo answers them.
    static let tempoSchemas = #"""
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
            traceState: {type: string}
            events: {type: array, items: {$ref: "#/components/schemas/TempoEvent"}}
            links: {type: array, items: {$ref: "#/components/schemas/TempoLink"}}
            droppedAttributesCount: {type: integer, minimum: 1}
            droppedEventsCount: {type: integer, minimum: 1}
            droppedLinksCount: {type: integer, minimum: 1}
            status:
              type: object
              properties: {code: {enum: [STATUS_CODE_OK, STATUS_CODE_ERROR]}, message: {type: string}}
        TempoEvent:
          type: object
          properties:
            timeUnixNano: {$ref: "#/components/schemas/Nanoseconds"}
            name: {type: string}
            attributes: {type: array, items: {$ref: "#/components/schemas/KeyValue"}}
            droppedAttributesCount: {type: integer, minimum: 1}
        TempoLink:
          type: object
          properties:
            traceId: {$ref: "#/components/schemas/Base64"}
            spanId: {$ref: "#/components/schemas/Base64"}
            traceState: {type: string}
            attributes: {type: array, items: {$ref: "#/components/schemas/KeyValue"}}
            droppedAttributesCount: {type: integer, minimum: 1}
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
    """#
}

extension OpenAPIDocument {
    /// Services, traces and explanations as the console reads them.
    static let consoleSchemas = #"""
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
                  traceState: {type: string, description: W3C's tracestate; only where the SDK sent one.}
                  events: {type: array, items: {$ref: "#/components/schemas/SpanEvent"}}
                  links: {type: array, items: {$ref: "#/components/schemas/SpanLink"}}
                  droppedAttributes: {type: integer, minimum: 1, description: Left out by the SDK.}
                  droppedEvents: {type: integer, minimum: 1}
                  droppedLinks: {type: integer, minimum: 1}
        SpanEvent:
          type: object
          required: [time, name, attributes]
          properties:
            time: {type: integer, description: Microseconds after the trace's start; may be negative.}
            name: {type: string}
            attributes: {$ref: "#/components/schemas/Attributes"}
        SpanLink:
          type: object
          required: [traceID, spanID, attributes]
          properties:
            traceID: {$ref: "#/components/schemas/HexTrace"}
            spanID: {$ref: "#/components/schemas/HexSpan"}
            traceState: {type: string}
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
    """#
}
